-- `body` is the whole record as JSON; the other columns are what it is found by. Times are microseconds since 1970. Names
-- are compared as bytes, so that lists have the same order wherever the database runs.
create table call_agents (
    id text collate "C" primary key,
    revision bigint not null,
    body text not null
);

create table call_customers (
    id text collate "C" primary key,
    revision bigint not null,
    phone text collate "C" not null unique,
    status text collate "C" not null,
    created_at bigint not null,
    body text not null
);

-- Both in the order of lists, so that a page is read and not sorted.
create index call_customers_created on call_customers (created_at, id);
create index call_customers_status on call_customers (status, created_at, id);
