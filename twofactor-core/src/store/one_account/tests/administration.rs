//! The verbs of a sysadmin do the same to an account in memory as to one in files: random histories of verbs and logins on both.

use super::{Kept, NOW, alice, pause};
use crate::account::enrollment;
use crate::account::factors::{Attestation, Factors};
use crate::account::throttle::Count;
use crate::account::throttle::Source;
use crate::account::{App, EnrolledKey, State};
use crate::codes::answer::Answer;
use crate::codes::otp::{Parameters, Progress, Step, code_of};
use crate::codes::recovery::RecoveryCode;
use crate::codes::secret::Secret;
use crate::codes::ssh_key::tests::key as shown_key;
use crate::codes::token::{Label, Serial, Token};
use crate::host::clock::{HandSet, UnixTime};
use crate::host::trusted::{Owner, private_directory};
use crate::store::administration::{
    AccountAdministration, AccountExport, AccountOwnership, AccountStatus, Belongs, Existing, InvitationAdministration,
    LastCredential, Reset, SshKeyAdministration,
};
use crate::store::files::{Files, PATIENCE};
use crate::store::one_account::OneAccount;
use crate::store::redemption::Redemption;
use crate::store::{Attempt, Store};
use proptest::prelude::*;
use std::time::Duration;
use zeroize::Zeroizing;

/// A step of a history.
#[derive(Debug, Clone)]
enum Deed {
    /// Enrolls the secret of this number under the label of that.
    Enroll(u8, usize, Existing, bool),
    MoveIn(u8, Existing),
    Reset(Reset),
    Recovery,
    GiveCode,
    RevokeCode,
    Unlock,
    Invite,
    RevokeInvitation,
    AddKey(usize, Attestation),
    RemoveKey(usize, LastCredential),
    /// Types the code of this secret, so many steps from now.
    LogIn(u8, i64),
    /// Types this recovery code of the last ones.
    Recover(usize),
    /// Types the temporary code.
    Temporary,
    Wrong(u32),
    Verify(u8, i64),
    Export,
    Pending(usize),
}

fn deed() -> impl Strategy<Value = Deed> {
    let existing = || prop_oneof![Just(Existing::Keep), Just(Existing::Replace)];
    let last = || prop_oneof![Just(LastCredential::Keep), Just(LastCredential::Take)];
    let attestation = || prop_oneof![Just(Attestation::None), Just(Attestation::Checked)];
    prop_oneof![
        4 => (0_u8..3, 0_usize..2, existing(), any::<bool>()).prop_map(|(a, b, c, d)| Deed::Enroll(a, b, c, d)),
        2 => (0_u8..3, existing()).prop_map(|(secret, existing)| Deed::MoveIn(secret, existing)),
        2 => Just(Deed::Reset(Reset::Everything)),
        2 => Just(Deed::Reset(Reset::Confirmations)),
        1 => Just(Deed::Recovery),
        1 => Just(Deed::GiveCode),
        1 => Just(Deed::RevokeCode),
        1 => Just(Deed::Unlock),
        1 => Just(Deed::Invite),
        1 => Just(Deed::RevokeInvitation),
        2 => (0_usize..2, attestation()).prop_map(|(key, attestation)| Deed::AddKey(key, attestation)),
        2 => (0_usize..2, last()).prop_map(|(key, last)| Deed::RemoveKey(key, last)),
        6 => (0_u8..3, -2_i64..3).prop_map(|(secret, steps)| Deed::LogIn(secret, steps)),
        1 => (0_usize..3).prop_map(Deed::Recover),
        1 => Just(Deed::Temporary),
        2 => (0_u32..1_000_000).prop_map(Deed::Wrong),
        1 => (0_u8..3, -40_i64..40).prop_map(|(secret, steps)| Deed::Verify(secret, steps)),
        1 => Just(Deed::Export),
        1 => (0_usize..2).prop_map(Deed::Pending),
    ]
}

fn secret(number: u8) -> Secret {
    Secret::from_bytes(Zeroizing::new(vec![number + 1; 20])).unwrap()
}

fn label(number: usize) -> Label {
    Label::new(["app", "work"][number]).unwrap()
}

fn app(number: u8, label: Label) -> App {
    let serial = Serial::new(&format!("{label}-{number}")).unwrap();
    let (secret, parameters) = (secret(number), Parameters::default());
    App::vouched_for(Token { serial, label, secret, parameters, issued: NOW, start: Progress::default() })
}

fn key(number: usize, attestation: Attestation) -> EnrolledKey {
    EnrolledKey { key: shown_key(u8::try_from(number).unwrap()), label: label(number), issued: NOW, attestation }
}

/// The codes that a sysadmin got from the last verbs. They differ between two stores, being random.
#[derive(Default)]
struct Handed {
    recovery: Vec<RecoveryCode>,
    temporary: String,
}

/// Does a deed, and gives what was said about it, without what is random.
fn done(
    store: &(impl AccountAdministration + InvitationAdministration + SshKeyAdministration + AccountExport + Store),
    deed: &Deed,
    recovery: &[RecoveryCode],
    handed: &mut Handed,
    now: UnixTime,
) -> String {
    let user = &alice().name;
    let until = now.after(Duration::from_hours(1));
    let typed = |text: &str| {
        let (readings, source) = ([Answer::parse(text.as_bytes())], Source::from_rhost(Some("192.0.2.7")));
        let attempt =
            Attempt { readings: &readings, previous: None, source: &source, factors: Factors::ALL, remember: None };
        match store.redeem(&alice(), &attempt) {
            Ok(Redemption::Redeemed(redeemed)) => format!("{:?}", redeemed.factor()),
            other => format!("{other:?}"),
        }
    };
    let code = |number, steps| {
        code_of(&secret(number), Parameters::default(), Step((now.seconds() / 30).saturating_add_signed(steps)))
    };
    match deed {
        Deed::Enroll(number, name, existing, with_recovery) => {
            let codes = with_recovery.then_some(recovery);
            let enrolled = store.enroll(&alice(), app(*number, label(*name)), codes, *existing);
            if enrolled.is_ok() && *with_recovery {
                handed.recovery = recovery.to_vec();
            }
            format!("{enrolled:?}")
        }
        Deed::MoveIn(number, existing) => {
            format!("{:?}", store.move_in(&alice(), vec![app(*number, label(0))], recovery, *existing))
        }
        Deed::Reset(reset) => format!("{:?}", store.reset(user, *reset)),
        Deed::Recovery => {
            handed.recovery = recovery.to_vec();
            format!("{:?}", store.replace_recovery(user, recovery))
        }
        Deed::GiveCode => match store.give_code(&alice(), until) {
            Ok(Some(code)) => {
                handed.temporary = code.expose_grouped().to_string();
                "given".to_owned()
            }
            other => format!("{other:?}"),
        },
        Deed::RevokeCode => format!("{:?}", store.revoke_code(user)),
        Deed::Unlock => format!("{:?}", store.unlock(user)),
        Deed::Invite => format!("{:?}", store.invite(&alice(), until).is_ok()),
        Deed::RevokeInvitation => format!("{:?}", store.revoke_invitation(user)),
        Deed::AddKey(number, attestation) => format!("{:?}", store.add_ssh_key(&alice(), key(*number, *attestation))),
        Deed::RemoveKey(number, last) => format!("{:?}", store.remove_ssh_key(user, label(*number).as_str(), *last)),
        Deed::LogIn(number, steps) => typed(&code(*number, *steps)),
        Deed::Recover(number) => {
            handed.recovery.get(*number).map(|code| typed(&code.expose_grouped())).unwrap_or_default()
        }
        Deed::Temporary => typed(&handed.temporary),
        Deed::Wrong(digits) => typed(&format!("{digits:06}")),
        Deed::Verify(number, steps) => {
            format!("{:?}", store.verify(user, Answer::parse(code(*number, *steps).as_bytes())))
        }
        Deed::Export => format!("{:?}", store.export(user)),
        Deed::Pending(name) => format!("{:?}", store.pending(user, &label(*name))),
    }
}

/// All that a sysadmin sees of alice, but for the uid.
fn seen(store: &(impl AccountAdministration + AccountOwnership)) -> String {
    let user = &alice().name;
    let status = store.status(user).unwrap().map(|status| format!("{:?}", AccountStatus { uid: None, ..status }));
    let newcomer = store
        .newcomer(user)
        .unwrap()
        .map(|newcomer| (newcomer.invited_until, newcomer.failures, newcomer.blocked_until));
    let blocked = store.blocked_until(user, Count::Logins, &Source::from_rhost(Some("192.0.2.8"))).unwrap();
    let is_owned = store.belongs(user).unwrap() != Belongs::ToNobody;
    format!("{status:?} {newcomer:?} {blocked:?} {is_owned}")
}

/// The state without digests, whose salts differ, and without the uid.
fn plain(mut state: State) -> State {
    for count in Count::ALL {
        state.throttle_of_mut(count).last_wrong = None;
    }
    State { used_recovery: Vec::new(), invitation: None, handout: None, uid: None, ..state }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn of_each_history_of_verbs_the_files_and_the_copy_say_and_keep_the_same(
        history in prop::collection::vec((deed(), pause()), 1..24),
    ) {
        let folder = private_directory();
        let clock = HandSet::at(NOW);
        let files = Files::new(folder.path(), Owner(nix::unistd::geteuid().as_raw()), PATIENCE, clock.clone());
        let mut kept = Kept::nothing();
        let (mut of_files, mut of_copy) = (Handed::default(), Handed::default());
        let mut now = NOW;
        for (deed, pause) in history {
            now = UnixTime::from_seconds(now.seconds().saturating_add_signed(pause));
            clock.set(now);
            let recovery = enrollment::recovery_codes(3).unwrap();
            let by_files = done(&files, &deed, &recovery, &mut of_files, now);
            let by_copy = kept.ask(now, |one: &OneAccount<'_>| done(one, &deed, &recovery, &mut of_copy, now)).unwrap();
            prop_assert_eq!(&by_files, &by_copy, "{:?}", deed);
            let at_copy = kept.ask(now, |one: &OneAccount<'_>| seen(one)).unwrap();
            prop_assert_eq!(seen(&files), at_copy, "{:?}", deed);
            if files.has_traces(&alice().name).unwrap() && kept.read.state.is_some() {
                prop_assert_eq!(plain(Kept::copied(&files).state()), plain(kept.state()), "{:?}", deed);
            }
        }
    }
}
