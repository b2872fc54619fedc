create table call_live_nodes (
    node text primary key,
    expires_at timestamptz not null
);

create table call_live_leases (
    call uuid primary key,
    node text not null,
    fence bigint not null
);
create index call_live_leases_node on call_live_leases (node);

create sequence call_live_fences;

create table call_live_commands (
    id uuid primary key,
    number bigint generated always as identity,
    call uuid not null,
    sender text not null,
    command text not null,
    expires_at timestamptz not null,
    taken_by text,
    answer text,
    void boolean not null default false
);
create index call_live_commands_waiting on call_live_commands (call, number) where taken_by is null and not void;
create index call_live_commands_expires on call_live_commands (expires_at);
