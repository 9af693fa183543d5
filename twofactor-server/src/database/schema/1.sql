-- The store: one row. Servers older than oldest_server must not use this schema, and those that seal with a key older than oldest_key
-- must write nothing: such keys are about to be taken away. Each server reads both with every account.
create table twofactor.store (
    only_one boolean primary key default true check (only_one),
    id text not null,
    version integer not null,
    oldest_server integer not null,
    oldest_key integer not null default 1,
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

-- As much is written here for an attempt of a user who is not enrolled, and in the place of rows that a host gets no more.
create table twofactor.decoy (
    number integer primary key,
    version bigint not null,
    sealed bytea not null
) with (fillfactor = 50);
insert into twofactor.decoy select number, 0, '' from generate_series(0, 191) as number;

-- Wrong codes from each host, all other refusals to it, and those of newcomers at tokens among these, in an hour since 1970 and in the one
-- before. Accepted codes write nothing here.
create table twofactor.quota (
    host text primary key,
    hour bigint not null,
    wrong integer not null,
    before integer not null,
    refused integer not null default 0,
    refused_before integer not null default 0,
    newcomers integer not null default 0,
    newcomers_before integer not null default 0
) with (fillfactor = 50);

-- Users whom each host has enrolled without an invitation, in an hour since 1970 and in the one before.
create table twofactor.enrolled (
    host text primary key,
    hour bigint not null,
    users integer not null,
    before integer not null
);

-- Servers that run, and the keys that each of them has.
create table twofactor.server (
    instance text primary key,
    host text not null,
    program text not null,
    seen timestamptz not null,
    keys integer[] not null,
    sealing integer not null
);

-- Answers, which can be asked for again for half a minute under the digest of the question, and are removed soon after that.
create table twofactor.answer (
    question bytea primary key,
    at timestamptz not null default clock_timestamp(),
    key integer not null,
    sealed bytea not null
);

-- Every judged attempt, every change of a sysadmin, who is in who, and every host that comes or goes, which has no name of a user. Numbers
-- rise with time.
create table twofactor.audit (
    number bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    host text not null,
    name text not null,
    event text not null,
    detail text not null,
    who text
);
create index audit_name on twofactor.audit (name, at);
-- The log looks for the former names of a user. Renames are few.
create index audit_renamed on twofactor.audit (detail) where event = 'account-renamed';

-- Physical tokens. Changes of all these tables wait for each other at an advisory lock.
create table twofactor.series (
    number integer generated always as identity primary key,
    name text collate "C" not null unique
);

-- Every import that added or met something, with the file it came from. Times are seconds since 1970.
create table twofactor.imports (
    number bigint generated always as identity primary key,
    series integer,                 -- null once it was deleted
    name text not null,             -- of the series
    file text not null,
    sha256 bytea not null,
    at bigint not null,
    who text not null,
    added bigint not null,
    unchanged bigint not null,
    conflicts bigint not null,
    rejected bigint not null
);
create index imports_series on twofactor.imports (series);

-- A token that has an owner stands in the owner's credentials, too, and how far it is used in the owner's state: no login reads
-- this table. The marks are keyed digests, by which a secret is recognized. The secret and its parameters are sealed.
create table twofactor.tokens (
    serial text collate "C" primary key,
    number bigint generated always as identity,
    mark bigint not null,           -- of the secret; stays when the secret is wiped
    key_mark bigint,                -- of the key that HMAC makes of a long secret
    key integer not null,
    sealed bytea not null,
    status text not null,           -- good, disabled, lost, revoked
    name text,                      -- the owner
    assigned_at bigint,
    first_use boolean not null,     -- the next login may be further out
    used_key integer,
    used bytea,                     -- as far as former owners took it, sealed
    series integer,
    vendor text,
    model text,
    issued bigint not null          -- when it was imported
);
create index tokens_mark on twofactor.tokens (mark);
create index tokens_key_mark on twofactor.tokens (key_mark) where key_mark is not null;
create index tokens_name on twofactor.tokens (name) where name is not null;

-- How far the seeds of deleted tokens were used: they may be imported again, their old codes may not. The seed is a keyed digest.
create table twofactor.burned (
    seed text collate "C" primary key,
    key integer not null,
    sealed bytea not null
);

-- Marks of secrets that came in although both a token and an app have them. Only for a token with one of these are all apps
-- looked through when it is assigned.
create table twofactor.shared (
    mark bigint primary key
);

-- What sysadmins did with physical tokens.
create table twofactor.token_history (
    number bigint generated always as identity primary key,
    at bigint not null,
    who text not null,
    event text not null,
    serial text,
    name text,
    detail text
);
create index token_history_name on twofactor.token_history (name) where name is not null;

-- The authority that signs the certificates of hosts and servers: one row, sealed. changes rises with each change of a host or of
-- a certificate. wrong counts wrong join codes of the hour that began at wrong_since.
create table twofactor.authority (
    name text primary key check (name = 'authority'),
    key integer not null,
    sealed bytea not null,
    changes bigint not null default 0,
    wrong integer not null default 0,
    wrong_since timestamptz not null default clock_timestamp()
);

-- The hosts that were added. One that was revoked stays, without certificates. Each revocation and each joining makes another standing.
-- The proof is a keyed digest of name, groups, standing and of whether it was revoked.
create table twofactor.host (
    name text primary key,
    groups text[] not null,
    standing bigint not null,
    proof bytea not null,
    added timestamptz not null default clock_timestamp(),
    revoked timestamptz,
    seen timestamptz
);

-- The certificates that a host may show, by their SHA-256 digest, and the standing of the host for which they count. Another is of no
-- host. The proof is a keyed digest of all but the time of issue.
create table twofactor.certificate (
    digest bytea primary key,
    host text not null references twofactor.host,
    standing bigint not null,
    serial text not null,
    proof bytea not null,
    issued timestamptz not null default clock_timestamp(),
    until timestamptz not null
);
create index certificate_host on twofactor.certificate (host);

-- Join codes, by their number; of the rest a keyed digest, and of the key that has joined with it.
create table twofactor.join_code (
    number integer primary key,
    host text not null references twofactor.host,
    digest bytea not null,
    until timestamptz not null,
    tries integer not null default 0,
    used timestamptz,
    key bytea
);
create index join_code_host on twofactor.join_code (host);
