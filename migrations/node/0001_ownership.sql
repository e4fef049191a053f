-- What this node has seen and promised about each dataset (state-machine's PersistedRow as JSON):
-- on disk before it is shown to anyone.
create table ownership (
  dataset integer primary key,
  content text not null
);
