//! The secrets of apps, by their marks: a token with the secret of another user's app would open that user's sessions.

use std::collections::HashMap;

use crate::account::{App, Credentials};
use crate::codes::token::Marks;
use crate::host::user::UserName;
use crate::store::credentials_text;

/// The users of every app's secret.
#[derive(Debug, Default)]
pub struct AppSecrets(HashMap<i64, Vec<UserName>>);

impl AppSecrets {
    /// Adds the apps of a user.
    pub fn add(&mut self, user: &UserName, credentials: &Credentials) {
        for mark in credentials.apps.iter().map(App::token).flat_map(|token| token.marks().iter()) {
            self.0.entry(mark).or_default().push(user.clone());
        }
    }

    /// Adds the apps in a text of credentials. What cannot be read is passed over, and said elsewhere.
    pub fn add_text(&mut self, user: &UserName, text: &str) {
        if let Ok(credentials) = credentials_text::read(text) {
            self.add(user, &credentials);
        }
    }

    /// A user other than `user` who has an app with that secret, or with the key that HMAC makes of it.
    pub fn other_than(&self, user: Option<&UserName>, marks: Marks) -> Option<&UserName> {
        let users = marks.iter().filter_map(|mark| self.0.get(&mark)).flatten();
        users.into_iter().find(|other| Some(*other) != user)
    }
}
