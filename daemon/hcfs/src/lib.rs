//! Datasets: change watching, snapshots, replication.
