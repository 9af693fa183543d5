//! Every column of the schema that holds sealed records. A new key seals them all anew from this list.
//!
//! Invariant: each column of bytes stands in one of the two lists. A test compares them with the schema.

use crate::sealing::seals::Kind;

/// A column of sealed records, with the column of their keys.
#[derive(Debug, Clone, Copy)]
pub struct SealedColumn {
    /// The table, of the schema `twofactor`.
    pub table: &'static str,
    /// The column with the number of the key.
    pub key: &'static str,
    /// The column of records.
    pub sealed: &'static str,
    /// The owner to which a record is bound, in SQL: a text by which the table has an index. The table is `t`.
    pub(crate) owner: &'static str,
    /// The kind of the records.
    pub(crate) kind: Kind,
}

/// The columns whose records are kept.
pub const SEALED_COLUMNS: &[SealedColumn] = &[
    SealedColumn { table: "credentials", key: "key", sealed: "sealed", owner: "t.name", kind: Kind::Credentials },
    SealedColumn { table: "authority", key: "key", sealed: "sealed", owner: "t.name", kind: Kind::Authority },
    SealedColumn { table: "state", key: "key", sealed: "sealed", owner: "t.name", kind: Kind::State },
    SealedColumn {
        table: "store",
        key: "digest_key",
        sealed: "digest_sealed",
        owner: "t.id",
        kind: Kind::DigestSecret,
    },
    SealedColumn { table: "tokens", key: "key", sealed: "sealed", owner: "t.serial", kind: Kind::Token },
    SealedColumn { table: "tokens", key: "used_key", sealed: "used", owner: "t.serial", kind: Kind::TokenUse },
    SealedColumn { table: "burned", key: "key", sealed: "sealed", owner: "t.seed", kind: Kind::Burned },
];

/// The other columns of bytes, with their tables: answers, which are removed soon after they were given, and what no server opens.
pub const OTHER_BYTES: &[(&str, &str)] = &[
    ("answer", "sealed"),
    // A keyed digest.
    ("answer", "question"),
    ("certificate", "digest"),
    // Keyed digests.
    ("certificate", "proof"),
    ("host", "proof"),
    ("join_code", "key"),
    ("decoy", "sealed"),
    // The digest of a vendor's file.
    ("imports", "sha256"),
    // A keyed digest.
    ("join_code", "digest"),
];

/// Counts the records of each key, in all columns.
pub(crate) fn count_by_key() -> String {
    let each = SEALED_COLUMNS.iter().map(|SealedColumn { table, key, sealed, .. }| {
        format!("select {key} as key from twofactor.{table} where {sealed} is not null")
    });
    // An answer may be asked for again.
    let each = each.chain(["select key from twofactor.answer".to_owned()]).collect::<Vec<_>>().join(" union all ");
    format!("select key, count(*) from ({each}) as every group by key order by key")
}
