//! Two histories as one, by time.

use std::collections::VecDeque;

use twofactor_core::store::administration::PastChange;

/// The next portion of both: while each has something at hand, so that nothing older comes later; and the rest of one where the other
/// has ended.
pub(crate) fn next_portion(ready: &mut [VecDeque<PastChange>; 2]) -> Vec<PastChange> {
    let [tokens, audit] = ready;
    let mut portion = Vec::new();
    loop {
        let next = match (tokens.front(), audit.front()) {
            (Some(token), Some(account)) if token.at <= account.at => tokens.pop_front(),
            (Some(_), None) | (None, Some(_)) if !portion.is_empty() => None,
            (Some(_), None) => tokens.pop_front(),
            (_, _) => audit.pop_front(),
        };
        match next {
            Some(change) => portion.push(change),
            None => return portion,
        }
    }
}
