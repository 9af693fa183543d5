//! Favours: invitations, temporary codes, remembered logins; and counted failures, which are forgiven.

use crate::account::State;
use crate::account::invitation::{Invitation, InvitationCode};
use crate::account::notice::Notice;
use crate::account::remembered::Memories;
use crate::account::throttle::{Count, Throttle};
use crate::codes::secret::SecretError;
use crate::codes::temporary::{Handout, TemporaryCode};
use crate::host::clock::UnixTime;
use crate::host::user::Uid;

/// Lets the user enroll at login with `code`. An invitation is one person's, as an account is.
pub(in crate::store) fn invite(
    state: &mut State,
    uid: Uid,
    code: &InvitationCode,
    until: UnixTime,
) -> Result<(), SecretError> {
    state.uid = Some(uid);
    state.invitation = Some(Invitation::of(code, until)?);
    Ok(())
}

/// Makes a temporary code good until `until`, in the place of an earlier one.
pub(in crate::store) fn hand_out(
    state: &mut State,
    code: &TemporaryCode,
    until: UnixTime,
    notice: Option<Notice>,
) -> Result<(), SecretError> {
    state.handout = Some(Handout::of(code, until)?);
    if let Some(notice) = notice {
        state.notice(notice);
    }
    Ok(())
}

/// Takes the temporary code back. `false` when none was good; then there is no notice of it.
pub(in crate::store) fn take_back_handout(state: &mut State, now: UnixTime, notice: Option<Notice>) -> bool {
    let had = state.handout.take().is_some_and(|handout| handout.open_until(now).is_some());
    if let Some(notice) = notice.filter(|_| had) {
        state.notice(notice);
    }
    had
}

/// Forgets the failures on these counts, and remembered logins. Gives the number of failures at logins; `None` for a user who is
/// not enrolled and has none: guesses of invitations and serials are counted before any enrollment.
pub(in crate::store) fn forgiven(
    state: &mut State,
    is_enrolled: bool,
    counts: &[Count],
    notice: Option<Notice>,
) -> Option<u32> {
    let failures = state.throttle.user.count;
    if !is_enrolled && failures == 0 {
        return None;
    }
    state.memories.clear();
    for count in counts {
        let throttle = state.throttle_of_mut(*count);
        *throttle = Throttle { last_source: throttle.last_source.take(), ..Throttle::default() };
    }
    if let Some(notice) = notice {
        state.notice(notice);
    }
    Some(failures)
}

/// The state without what spares the user a code or lets him enroll; `None` when there is nothing of it.
pub(in crate::store) fn without_favours(state: &State) -> Option<State> {
    let without = State { memories: Memories::default(), invitation: None, handout: None, ..state.clone() };
    (without != *state).then_some(without)
}
