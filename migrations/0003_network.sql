-- The kind of network between the nodes: lan or wan.

alter table cluster add column network text not null default 'lan';
