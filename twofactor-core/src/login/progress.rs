//! A login in progress: its claimant, its host, and the policy's terms.

use super::claimant::Claimant;
use super::request::{Conversation, Request, World};
use crate::account::factors::Factors;
use crate::log::record::Audit;
use std::time::Duration;

pub(super) struct Login<'a> {
    pub(super) claimant: &'a Claimant<'a>,
    pub(super) request: &'a Request,
    pub(super) world: &'a World<'a>,
    pub(super) conversation: &'a mut dyn Conversation,
    pub(super) audit: &'a mut dyn Audit,
    /// The factors that the policy accepts.
    pub(super) factors: Factors,
    /// The duration for which the policy remembers an accepted login.
    pub(super) remember: Duration,
}

impl<'a> Login<'a> {
    pub(super) fn new(
        claimant: &'a Claimant<'a>,
        request: &'a Request,
        world: &'a World<'a>,
        conversation: &'a mut dyn Conversation,
        audit: &'a mut dyn Audit,
    ) -> Self {
        let (factors, remember) = (Factors::ALL, Duration::ZERO);
        Self { claimant, request, world, conversation, audit, factors, remember }
    }
}
