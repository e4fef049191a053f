//! Rows to disk: one transaction at a time, with everything that came while the last one ran. The
//! rows are on disk first, and a little later the brain hears of it: a crash may come between.

use super::World;
use super::happening::ForNode;
use crate::time::ms;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_state_machine::{DatasetEvent, PersistToken, PersistedRow};

impl World {
    pub(super) fn write_row(
        &mut self,
        id: NodeId,
        dataset: DatasetId,
        row: PersistedRow,
        token: PersistToken,
    ) {
        let Some(running) = self.running(id) else {
            return;
        };
        running.rows.waiting.insert(dataset, (row, token));
        self.begin_writing_rows(id);
    }

    fn begin_writing_rows(&mut self, id: NodeId) {
        let Some(running) = self.running(id) else {
            return;
        };
        if running.rows.is_writing || running.rows.waiting.is_empty() {
            return;
        }
        running.rows.is_writing = true;
        let delay = self.disk_span(id, (ms(1), ms(15)));
        self.tell_later(id, delay, ForNode::RowsWritten);
    }

    /// The rows that waited when the transaction ended are all in it.
    pub(super) fn rows_written(&mut self, id: NodeId) {
        let Some(running) = self.running(id) else {
            return;
        };
        let written = std::mem::take(&mut running.rows.waiting);
        running.rows.is_writing = false;
        let mut tokens = Vec::with_capacity(written.len());
        for (dataset, (row, token)) in written {
            self.on_disk(id, dataset).row = Some(row);
            tokens.push((dataset, token));
        }
        let delay = self.dice.span((ms(0), ms(5)));
        self.tell_later(id, delay, ForNode::RowsReported(tokens));
        self.begin_writing_rows(id);
    }

    pub(super) fn rows_reported(&mut self, id: NodeId, rows: Vec<(DatasetId, PersistToken)>) {
        for (dataset, token) in rows {
            self.tell_dataset(id, dataset, DatasetEvent::Persisted { token });
        }
    }
}
