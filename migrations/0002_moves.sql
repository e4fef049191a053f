-- Live moves: zones, switched-off services and drains of nodes; pins and holds of sites; copies
-- that a dataset should have; how load is spread; receipts of moves.

-- balancing is JSON.
alter table cluster add column balancing text not null default
    '{"is_on":true,"moves_per_minute":6,"moves_at_once":2,"cool_down_s":600,"veto_s":30,"busy_percent":75,"gap_percent":20,"patience_s":120}';

-- switched_off (a list) and drain are JSON.
alter table nodes add column zone text not null default 'default';
alter table nodes add column switched_off text not null default '[]';
alter table nodes add column drain text;

alter table sites add column pin integer references nodes (id);
alter table sites add column hold_until integer;

-- Who asked for one copy and who had but one node can't be told apart any more: the safer wins.
alter table datasets add column copies integer not null default 2;
update datasets set copies = max(
    (select count(*) from dataset_replicas where dataset_replicas.dataset = datasets.id),
    coalesce((select copies from cluster), 2)
);

-- Receipts of the newest ended moves; report is JSON.
create table moves (
    id     integer primary key,
    report text not null
) strict;

-- Entries of the log and answers that the version before wrote, as this one reads them. They come
-- to the same settings as the rows above.
update raft_log set entry = json_set(entry, '$.payload.Normal.change.cluster.balancing', json(
    '{"is_on":true,"moves_per_minute":6,"moves_at_once":2,"cool_down_s":600,"veto_s":30,"busy_percent":75,"gap_percent":20,"patience_s":120}'
))
where json_extract(entry, '$.payload.Normal.change.change') = 'init-cluster';
update raft_log set entry = json_set(entry, '$.payload.Normal.change.copies', max(
    json_array_length(entry, '$.payload.Normal.change.replicas'),
    coalesce((select copies from cluster), 2)
))
where json_extract(entry, '$.payload.Normal.change.change') in ('create-site', 'create-database');
update requests set result = json_set(
    result, '$.Ok.node.zone', 'default', '$.Ok.node.switched_off', json('[]')
)
where json_extract(result, '$.Ok.node.id') is not null;

-- A snapshot is made anew when it is needed.
delete from raft_snapshot;
