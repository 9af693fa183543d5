-- The store: one row. Older servers than oldest_server must not use this schema.
create table twofactor.store (
    only_one boolean primary key default true check (only_one),
    id text not null,
    version integer not null,
    oldest_server integer not null,
    -- The secret of keyed digests. The first server makes it.
    digest_key integer,
    digest_sealed bytea
);
insert into twofactor.store (id, version, oldest_server) values (gen_random_uuid()::text, 1, 1);

-- What a user has: apps, tokens, recovery codes. Sealed by a server; changes seldom.
create table twofactor.credentials (
    name text primary key,
    key integer not null,
    sealed bytea not null
);

-- How far it is used. Sealed, too. The version is what a write is compared with, and so it is not sealed.
create table twofactor.state (
    name text primary key,
    version bigint not null,
    key integer not null,
    sealed bytea not null
) with (fillfactor = 50);

-- As much is written here for an attempt of a user who is not enrolled.
create table twofactor.decoy (
    number integer primary key,
    version bigint not null,
    sealed bytea not null
) with (fillfactor = 50);
insert into twofactor.decoy select number, 0, '' from generate_series(0, 63) as number;

-- Every judged attempt and every change of a sysadmin, who is in who: a host asks with its name and without one. The answer can be
-- asked for again, under the digest of the question, for half a minute.
create table twofactor.audit (
    number bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    host text not null,
    name text not null,
    event text not null,
    detail text not null,
    question bytea not null,
    key integer not null,
    answer bytea not null,
    who text
);
create unique index audit_question on twofactor.audit (question);
create index audit_name on twofactor.audit (name, at);
