//! The keys of a store, and what they seal.

use std::collections::BTreeSet;

use twofactor_server::{OTHER_BYTES, SEALED_COLUMNS};

use super::Fleet;

#[test]
fn every_column_of_bytes_in_the_schema_is_known_to_be_sealed_or_not() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let there = fleet.postgres.sql(
        "select table_name || '.' || column_name from information_schema.columns
         where table_schema = 'twofactor' and data_type = 'bytea'",
    );
    let there: BTreeSet<String> = there.lines().map(str::to_owned).collect();
    let sealed = SEALED_COLUMNS.iter().map(|column| format!("{}.{}", column.table, column.sealed));
    let others = OTHER_BYTES.iter().map(|(table, column)| format!("{table}.{column}"));
    assert_eq!(sealed.chain(others).collect::<BTreeSet<_>>(), there);
}
