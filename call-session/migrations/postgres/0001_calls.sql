-- Times are microseconds since 1970.
create table call_sessions (
    id uuid primary key,
    version bigint not null,
    status text not null,
    direction text not null,
    mode text not null,
    customer text,
    agent text,
    outcome text,
    created_at bigint not null,
    call_sid text unique,
    summary json not null
);

-- One for each condition of a list, each in the order of the list, so that a page is read and not sorted.
create index call_sessions_created on call_sessions (created_at, id);
create index call_sessions_status on call_sessions (status, created_at, id);
create index call_sessions_direction on call_sessions (direction, created_at, id);
create index call_sessions_mode on call_sessions (mode, created_at, id);
create index call_sessions_customer on call_sessions (customer, created_at, id) where customer is not null;
create index call_sessions_agent on call_sessions (agent, created_at, id) where agent is not null;
create index call_sessions_outcome on call_sessions (outcome, created_at, id) where outcome is not null;

-- Transactions do not end in the order of their positions. The feed is therefore read by transaction, and only as far as no
-- transaction is under way. `body` is json and not jsonb, which refuses some characters and reorders.
create table call_events (
    txid bigint not null default pg_current_xact_id()::text::bigint,
    position bigint generated always as identity,
    call uuid not null,
    version bigint not null,
    kind text not null,
    body json not null,
    attempt uuid not null,
    primary key (txid, position),
    unique (call, version)
);

create table call_claims (
    name text primary key,
    until bigint not null
);

create index call_claims_until on call_claims (until);
