-- Who is invited to the event, and who has said what.
create table slots (
    id text primary key,
    label text not null,
    capacity integer not null check (capacity > 0)
) strict;

create table guests (
    phone text primary key,
    name text not null,
    attendance text not null default 'invited' check (attendance in ('invited', 'attending', 'declined')),
    slot text references slots (id),
    updated_at text not null
) strict;

-- The audit log: every change, once, under the key of the tool's run that made it.
create table changes (
    key text primary key,
    at text not null,
    call text not null,
    phone text not null,
    attendance_before text not null,
    slot_before text,
    attendance_after text not null,
    slot_after text
) strict;

-- What was sent, once, under the key of the tool's run that sent it. `sent` is null while nobody knows whether it was.
create table messages (
    key text primary key,
    at text not null,
    call text not null,
    phone text not null,
    body text not null,
    sent text
) strict;

create table leads (
    key text primary key,
    at text not null,
    call text not null,
    phone text,
    name text not null,
    interest text not null
) strict;
