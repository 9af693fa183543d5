//! The story's questions, asked through libpam.

use pam::constants::{PAM_PROMPT_ECHO_OFF, PAM_PROMPT_ECHO_ON, PAM_TEXT_INFO};
use twofactor_core::login::{Conversation, ConversationError, Reply};

use crate::libpam::Pam;

/// The conversation of one call of the module.
pub(crate) struct PamConversation<'p, 'h> {
    pam: &'p Pam<'h>,
}

impl<'p, 'h> PamConversation<'p, 'h> {
    /// The conversation the application gave to `pam_start`.
    pub(crate) fn new(pam: &'p Pam<'h>) -> Self {
        Self { pam }
    }
}

impl Conversation for PamConversation<'_, '_> {
    fn ask(&mut self, prompt: &str) -> Result<Reply, ConversationError> {
        // No answer at all (NULL) is what an application gives when the user hung up; it is not an empty answer.
        self.pam.converse(PAM_PROMPT_ECHO_OFF, prompt).ok_or(ConversationError)
    }

    fn ask_openly(&mut self, prompt: &str) -> Result<Reply, ConversationError> {
        self.pam.converse(PAM_PROMPT_ECHO_ON, prompt).ok_or(ConversationError)
    }

    fn tell(&mut self, text: &str) {
        // An application that shows a text may answer with nothing, which the bindings take for a failure.
        let _ = self.pam.converse(PAM_TEXT_INFO, text);
    }

    fn password(&mut self) -> Option<Reply> {
        self.pam.authtok()
    }

    fn ask_password(&mut self, prompt: &str) -> Result<Reply, ConversationError> {
        self.pam.ask_authtok(prompt).ok_or(ConversationError)
    }

    fn set_password(&mut self, password: &[u8]) -> Result<(), ConversationError> {
        self.pam.set_authtok(password).ok_or(ConversationError)
    }
}
