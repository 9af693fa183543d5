//! The physical limit: the update and the row of the audit of a login, by pgbench, on copies of the tables.

use std::fs;

use super::AT_ONCE;
use super::site::Site;

/// The copies. The version is not compared: pgbench reads nothing before.
const COPIES: &str = "create schema bench;
    create table bench.state (like twofactor.state including all) with (fillfactor = 50);
    insert into bench.state select row_number() over ()::text, version, key, sealed from twofactor.state;
    create table bench.audit (like twofactor.audit including all);
    create table bench.answer (like twofactor.answer including all);
    analyze bench.state";

const SCRIPT: &str = "\\set n random(1, :users)
with written as (
    update bench.state set version = version + 1, sealed = sealed where name = :n::text returning name
), answered as (
    insert into bench.answer (question, key, sealed)
    select sha256(random()::text::bytea), 1, sha256('1') || sha256('2') from written
)
insert into bench.audit (host, name, event, detail)
select 'web1.example.org', name, 'redeem', 'redeemed app' from written;
";

/// Updates in a second.
pub(crate) fn updates_in_a_second(site: &Site<'_>, seconds: u64) -> f64 {
    site.postgres.sql(COPIES);
    let users = site.postgres.sql("select count(*) from bench.state");
    let script = site.postgres.home().join("update.sql");
    fs::write(&script, SCRIPT).expect("a script");
    let text = site.postgres.pgbench(
        &script,
        &[
            "--no-vacuum".to_owned(),
            "--protocol=prepared".to_owned(),
            format!("--define=users={users}"),
            format!("--client={AT_ONCE}"),
            "--jobs=2".to_owned(),
            format!("--time={seconds}"),
        ],
    );
    let rate = text.lines().find_map(|line| line.strip_prefix("tps = ")).unwrap_or_else(|| panic!("no rate: {text}"));
    rate.split(' ').next().and_then(|rate| rate.parse().ok()).unwrap_or_else(|| panic!("no rate: {text}"))
}
