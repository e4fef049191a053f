//! The settings that all nodes share: openraft, log and state in SQLite.
