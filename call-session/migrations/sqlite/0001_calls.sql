-- Times are microseconds since 1970, names are 16 bytes, `summary` and `body` are JSON.
create table call_sessions (
    row integer primary key,
    id blob not null unique,
    version integer not null,
    status text not null,
    direction text not null,
    mode text not null,
    customer text,
    agent text,
    outcome text,
    created_at integer not null,
    call_sid text unique,
    summary text not null
);

-- One for each condition of a list, each in the order of the list, so that a page is read and not sorted.
create index call_sessions_created on call_sessions (created_at, id);
create index call_sessions_status on call_sessions (status, created_at, id);
create index call_sessions_direction on call_sessions (direction, created_at, id);
create index call_sessions_mode on call_sessions (mode, created_at, id);
create index call_sessions_customer on call_sessions (customer, created_at, id) where customer is not null;
create index call_sessions_agent on call_sessions (agent, created_at, id) where agent is not null;
create index call_sessions_outcome on call_sessions (outcome, created_at, id) where outcome is not null;

-- Positions are never used again, so that a reader of the feed misses nothing.
create table call_events (
    position integer primary key autoincrement,
    call blob not null,
    version integer not null,
    kind text not null,
    body text not null,
    attempt blob not null,
    unique (call, version)
);

create table call_claims (
    name text primary key,
    until integer not null
) without rowid;

create index call_claims_until on call_claims (until);
