//! Answers and rows of the audit are removed in time. A server compares its clock with that of the database.

use super::embedded::Central;
use super::meanwhile::until;
use super::{Enrolled, Fleet, is_accepted, redeem};

#[test]
fn old_answers_and_old_rows_of_the_audit_are_removed_and_no_others() {
    let Some(fleet) = Fleet::with_servers(2) else { return };
    let web1 = fleet.host("web1");
    let alice = Enrolled::at(&web1, "alice");
    assert!(is_accepted(redeem(&web1.store(), &alice.person, &alice.code(0))));
    let sql = |statement: &str| fleet.postgres.sql(statement);
    // As if written long ago: before the others in the order of their numbers.
    sql("insert into twofactor.audit (number, at, host, name, event, detail) overriding system value
         select -n, now() - interval '31 days', 'web1', 'old', 'redeem', '' from generate_series(1, 45000) as n;
         insert into twofactor.audit (number, at, host, name, event, detail) overriding system value
         values (-1000000, now() - interval '29 days', 'web1', 'young', 'redeem', '');
         insert into twofactor.answer select sha256(n::text::bytea), now() - interval '61 seconds', 1, '' from generate_series(1, 25000) as n");
    let houses: Vec<_> = fleet
        .servers
        .iter()
        .map(|server| {
            let server = std::sync::Arc::clone(server);
            fleet.runtime.spawn(async move { server.keep_house(30).await })
        })
        .collect();
    until("the old rows are gone", || sql("select count(*) from twofactor.audit where name = 'old'") == "0");
    assert_eq!(sql("select count(*) from twofactor.audit where name = 'young'"), "1");
    assert_eq!(sql("select count(*) from twofactor.audit where name = 'alice'"), "2");
    assert_eq!(sql("select count(*) from twofactor.answer where sealed = ''"), "0");
    assert_eq!(sql("select count(*) from twofactor.answer"), "2", "the new ones can be asked for again");
    for house in houses {
        house.abort();
    }
}

#[test]
fn old_answers_and_old_rows_of_the_audit_are_removed_from_files_and_no_others() {
    let central = Central::new();
    let web1 = central.host("web1");
    let alice = Enrolled::at(&web1, "alice");
    assert!(is_accepted(redeem(&web1.store(), &alice.person, &alice.code(0))));
    let sql = |statement: &str| central.folder.sql(statement);
    // As if written long ago: before the others in the order of their numbers.
    sql("with recursive old (n) as (select 1 union all select n + 1 from old where n < 25000)
         insert into audit (number, at, host, name, event, detail)
         select -1000 - n, unixepoch() - 31 * 86400, 'web1', 'old', 'redeem', '' from old");
    sql("insert into audit (number, at, host, name, event, detail)
         values (-1000, unixepoch() - 29 * 86400, 'web1', 'young', 'redeem', '')");
    sql("with recursive old (n) as (select 1 union all select n + 1 from old where n < 2500)
         insert into answer (question, at, key, sealed) select cast(n as blob), unixepoch() - 61, 1, x'' from old");
    let server = std::sync::Arc::clone(&central.servers[0]);
    let house = central.runtime.spawn(async move { server.keep_house(30).await });
    until("the old rows are gone", || sql("select count(*) from audit where name = 'old'") == "0");
    assert_eq!(sql("select count(*) from audit where name = 'young'"), "1");
    assert_eq!(sql("select count(*) from audit where name = 'alice'"), "2");
    assert_eq!(sql("select count(*) from answer where sealed = x''"), "0");
    assert_eq!(sql("select count(*) from answer"), "2", "the new ones can be asked for again");
    house.abort();
}
