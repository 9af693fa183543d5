//! A login in progress: its request, its host, and what is known of its user.

use super::request::{Conversation, Request, World};
use crate::account::factors::Factors;
use crate::host::user::UserName;
use crate::log::record::Audit;
use std::time::Duration;

pub(super) struct Login<'a> {
    pub(super) request: &'a Request,
    pub(super) world: &'a World<'a>,
    pub(super) conversation: &'a mut dyn Conversation,
    pub(super) audit: &'a mut dyn Audit,
    /// The canonical name, once it is known.
    pub(super) user: Option<UserName>,
    /// The factors that the policy accepts.
    pub(super) factors: Factors,
    /// The duration for which the policy remembers an accepted login.
    pub(super) remember: Duration,
}

impl<'a> Login<'a> {
    pub(super) fn new(
        request: &'a Request,
        world: &'a World<'a>,
        conversation: &'a mut dyn Conversation,
        audit: &'a mut dyn Audit,
    ) -> Self {
        let (factors, remember) = (Factors::ALL, Duration::ZERO);
        Self { request, world, conversation, audit, user: None, factors, remember }
    }
}
