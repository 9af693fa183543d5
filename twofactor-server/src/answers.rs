//! A question of a host on its way to the accounts: whether the host may ask, its turn, the judgement, the answer.

pub(crate) mod accounts;
pub(crate) mod answering;
pub(crate) mod guesses;
pub(crate) mod in_database;
pub(crate) mod judged;
pub(crate) mod memberships;
pub(crate) mod own_changes;
pub(crate) mod queues;
