-- The registry of one node: openraft's own state, and the settings as real tables.
-- Every node holds the same rows in every table but raft_*. One process writes; see daemon/registry.

-- What openraft must not forget: vote, purged (last deleted log id), applied (last applied log id),
-- membership (of the last applied log), node (whose store this is). Values are JSON.
create table raft_state (
    name  text primary key,
    value text not null
) strict;

-- openraft's log: one row per entry, JSON. Without holes; begins after raft_state 'purged'.
create table raft_log (
    log_index integer primary key,
    entry     text not null
) strict;

-- The newest snapshot that this node built or received; one row.
create table raft_snapshot (
    id      integer primary key check (id = 1),
    meta    text not null,
    content blob not null
) strict;

-- Answers to the newest changes by the random id of their request, so that a repeated request is
-- answered, not done again. log_index is where it was applied.
create table requests (
    id        blob primary key check (length(id) = 16),
    log_index integer not null,
    result    text not null
) strict;
create index requests_by_log_index on requests (log_index);

-- Numbers that are counted up and never given out twice: the next id of each kind, the next uid,
-- the index of the last change.
create table counters (
    name  text primary key,
    value integer not null
) strict;

-- Settings of the cluster as a whole; one row once the cluster was founded.
create table cluster (
    id            integer primary key check (id = 1),
    cluster_id    text not null,
    name          text not null,
    panel_domains text not null,
    copies        integer not null
) strict;

-- The servers, removed ones too: their ids are not given out again.
create table nodes (
    id         integer primary key,
    name       text not null,
    address    text not null,
    join_index integer not null,
    is_removed integer not null check (is_removed in (0, 1))
) strict;
create unique index nodes_by_name on nodes (name) where is_removed = 0;
create unique index nodes_by_address on nodes (address) where is_removed = 0;

-- Permissions to join, by SHA-256 of the secret; used and expired ones stay for a while.
create table join_tokens (
    secret_hash text primary key,
    expires_at  integer not null,
    used_by     integer references nodes (id)
) strict;

-- Hosting accounts: customers and administrators.
create table accounts (
    id                  integer primary key,
    login               text not null unique,
    name                text not null,
    email               text not null,
    role                text not null,
    site_limit          integer not null,
    database_limit      integer not null,
    password_hash       text not null,
    sessions_valid_from integer not null,
    is_suspended        integer not null check (is_suspended in (0, 1)),
    created_at          integer not null
) strict;

-- Secrets that act for an account without signing in, by SHA-256.
create table tokens (
    id          integer primary key,
    account     integer not null references accounts (id),
    label       text not null,
    secret_hash text not null unique,
    created_at  integer not null,
    expires_at  integer not null
) strict;
create index tokens_by_account on tokens (account);

-- Sessions that were ended before they expired; forgotten once they have expired.
create table revoked_sessions (
    session    blob primary key check (length(session) = 16),
    expires_at integer not null
) strict;

-- Copy-on-write filesystems, deleted ones too. content_id is a site's or a database's id, which
-- may be gone.
create table datasets (
    id            integer primary key,
    content       text not null check (content in ('site', 'database')),
    content_id    integer not null,
    created_index integer not null,
    is_deleted    integer not null check (is_deleted in (0, 1))
) strict;

-- The nodes that should hold a copy of a dataset; position 0 is preferred as the live one.
create table dataset_replicas (
    dataset  integer not null references datasets (id) on delete cascade,
    position integer not null,
    node     integer not null references nodes (id),
    primary key (dataset, position),
    unique (dataset, node)
) strict;
create index dataset_replicas_by_node on dataset_replicas (node);

-- Web applications.
create table sites (
    id          integer primary key,
    account     integer not null references accounts (id),
    dataset     integer not null unique references datasets (id),
    uid         integer not null unique,
    php         text not null,
    app         text,
    app_version text,
    created_at  integer not null
) strict;
create index sites_by_account on sites (account);

-- Domains of sites; position 0 is the main one. A domain belongs to one site of the cluster.
create table domains (
    domain   text primary key,
    site     integer not null references sites (id) on delete cascade,
    position integer not null,
    unique (site, position)
) strict;

-- MariaDB databases with their users; both names are unique in the cluster.
create table databases (
    id            integer primary key,
    account       integer not null references accounts (id),
    site          integer references sites (id),
    dataset       integer not null unique references datasets (id),
    uid           integer not null unique,
    name          text not null unique,
    user          text not null unique,
    password_hash text not null,
    created_at    integer not null
) strict;
create index databases_by_account on databases (account);
create index databases_by_site on databases (site);

-- Jobs that run, and the newest ended ones. kind and outcome are JSON; a job may outlive its site.
create table jobs (
    id             integer primary key,
    kind           text not null,
    account        integer not null,
    node           integer not null,
    started_at     integer not null,
    outcome        text,
    finished_index integer unique
) strict;
