-- Times are seconds since 1970.

-- The store: one row. The authority signs the certificates of hosts and of the server; its key is sealed, and so is the secret of keyed
-- digests. changes rises with each change of a host or of a certificate. wrong counts wrong join codes of the hour that began at
-- wrong_since.
create table store (
    only_one integer primary key default 1 check (only_one = 1),
    id text not null,
    digest_key integer,
    digest_sealed blob,
    authority_key integer,
    authority_sealed blob,
    changes integer not null default 0,
    wrong integer not null default 0,
    wrong_since integer not null default 0
) strict;
insert into store (id) values (lower(hex(randomblob(16))));

-- The hosts that were added. One that was revoked stays, without certificates.
create table host (
    name text primary key,
    groups text not null,       -- one a line
    added integer not null,
    revoked integer,
    seen integer
) strict;

-- The certificates that a host may show, by their SHA-256 digest. Another is of no host.
create table certificate (
    digest blob primary key,
    host text not null references host,
    serial text not null,
    issued integer not null,
    until integer not null
) strict;
create index certificate_host on certificate (host);

-- Join codes, by their number; of the rest a keyed digest, and of the key that has joined with it.
create table join_code (
    number integer primary key,
    host text not null references host,
    digest blob not null,
    until integer not null,
    tries integer not null default 0,
    used integer,
    key blob
) strict;
create index join_code_host on join_code (host);

-- Wrong codes from each host, and what else was refused to it, in an hour since 1970 and in the one before.
create table quota (
    host text primary key,
    hour integer not null,
    wrong integer not null,
    before integer not null,
    refused integer not null,
    refused_before integer not null,
    newcomers integer not null,
    newcomers_before integer not null
) strict;

-- Users whom each host has enrolled without an invitation, in an hour since 1970 and in the one before.
create table enrolled (
    host text primary key,
    hour integer not null,
    users integer not null,
    before integer not null
) strict;

-- Answers, sealed, which can be asked for again for half a minute under the keyed digest of the question.
create table answer (
    question blob primary key,
    at integer not null,
    key integer not null,
    sealed blob not null
) strict;
create index answer_at on answer (at);

-- Every judged attempt of a host, hosts that come and go, changes of keys and accounts by a sysadmin. Those of tokens stand in the
-- registry's history.
create table audit (
    number integer primary key autoincrement,
    at integer not null,
    host text not null,
    name text not null,
    event text not null,
    detail text not null,
    who text                    -- the sysadmin
) strict;
