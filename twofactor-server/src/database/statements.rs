//! The statements that write an account, each with its counts, its row of the audit and its answer, or with as much work in other places.
//!
//! Invariant: each writes only where the account is the one that was read and the time of reading is the present, and gives a row where it
//! has.

use crate::counting::counting;

/// Counts a refusal to the host `$1` of which no account tells; `$2` is one where it is of a newcomer at a token.
pub(super) const COUNT_REFUSAL: &str = concat!(
    "insert into twofactor.quota as q (host, hour, wrong, before, refused, refused_before, newcomers, newcomers_before)
    values ($1, floor(extract(epoch from clock_timestamp()) / 3600)::int8, 0, 0, 1, 0, $2, 0)",
    counting!()
);

/// The beginning of a statement that writes, where the time of reading is the present. `$1` is the user, `$2` and `$3` the time of
/// reading and for how long it is the present, `$4` the host, `$11` to `$13` what is counted for it: wrong codes, attempts of newcomers at
/// tokens, and refusals. It ends with `kept` or `unkept`.
macro_rules! writing {
    ($written:literal) => {
        concat!(
            "with written as (",
            $written,
            "), counted as (
                insert into twofactor.quota as q
                    (host, hour, wrong, before, newcomers, newcomers_before, refused, refused_before)
                select $4, floor(extract(epoch from clock_timestamp()) / 3600)::int8, $11, 0, $12, 0, $13, 0 from written
                where $11 is not null",
            counting!(),
            ")"
        )
    };
}

/// Its end with a row of the audit, `$5`, `$6` and `$10`, and the answer to a host, `$7` to `$9`.
macro_rules! kept {
    () => {
        ", answered as (
            insert into twofactor.answer (question, key, sealed) select $7, $8, $9 from written where $4 <> ''
            on conflict (question) do update set at = excluded.at, key = excluded.key, sealed = excluded.sealed
        ) insert into twofactor.audit (host, name, event, detail, who)
        select $4, $1, $5, $6, $10 from written returning number"
    };
}

/// Its end without these. As much is written elsewhere.
macro_rules! unkept {
    () => {
        ", spent as (
            update twofactor.decoy set version = version + 1, sealed = $9
            where number in (64 + get_byte($7, 0) % 64, 128 + get_byte($7, 0) % 64) and exists (select from written)
        ) select 1 from written"
    };
}

/// The same of an account: `$14` and `$15` are the state, `$16` and `$17` the credentials if they change, `$18` the version that
/// was read, `$19` whether the credentials are forgotten.
macro_rules! credentials {
    () => {
        ", had as (
            insert into twofactor.credentials (name, key, sealed)
            select $1, $16, $17 from written where $17 is not null
            on conflict (name) do update set key = excluded.key, sealed = excluded.sealed
        ), gone as (
            delete from twofactor.credentials where $19 and name in (select name from written)
        )"
    };
}

macro_rules! updating {
    () => {
        writing!(
            "update twofactor.state set version = version + 1, key = $14, sealed = $15
            where name = $1 and version = $18 and clock_timestamp() < to_timestamp($2) + make_interval(secs => $3)
            returning name"
        )
    };
}

/// The same work for a user of whom nothing is kept. `$14` is the place.
macro_rules! in_vain {
    () => {
        writing!(
            "update twofactor.decoy set version = version + 1, sealed = $9
            where number = $14 and clock_timestamp() < to_timestamp($2) + make_interval(secs => $3)
            returning number"
        )
    };
}

/// The change of an account of which something is kept.
pub(super) const UPDATE: &str = concat!(updating!(), credentials!(), kept!());

/// The first change of an account. Its version is higher than that of an account which had the name before.
pub(super) const INSERT: &str = concat!(
    writing!(
        "insert into twofactor.state (name, version, key, sealed)
        select $1, (extract(epoch from clock_timestamp()) * 1000000)::int8, $14, $15
        where $18::int8 is null and clock_timestamp() < to_timestamp($2) + make_interval(secs => $3)
        on conflict do nothing returning name"
    ),
    credentials!(),
    kept!()
);

pub(super) const IN_VAIN: &str = concat!(in_vain!(), kept!());

/// The same of a host to which too much was refused.
pub(super) const UPDATE_UNKEPT: &str = concat!(updating!(), unkept!());
pub(super) const IN_VAIN_UNKEPT: &str = concat!(in_vain!(), unkept!());
