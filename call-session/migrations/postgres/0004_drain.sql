-- A server that is about to stop keeps its calls, and takes no others on.
alter table call_live_nodes add column draining boolean not null default false;
