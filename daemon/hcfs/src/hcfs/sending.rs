//! How far the streams are that this node sends of its datasets.

use super::{Hcfs, Inner, lock};
use hwc_api::ids::{DatasetId, NodeId};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

impl Hcfs {
    /// Bytes that went out so far of the snapshot that is on its way to a replica, before
    /// compression; 0 while none is. Kept up with each piece of a stream.
    #[must_use]
    pub fn sending_bytes(&self, dataset: DatasetId, to: NodeId) -> u64 {
        let running = lock(&self.inner.running);
        let bytes = running.get(&(dataset, to));
        bytes.map_or(0, |bytes| bytes.load(Ordering::Relaxed))
    }

    pub(super) fn begin_counting(&self, dataset: DatasetId, to: NodeId) -> Running {
        let (route, bytes) = ((dataset, to), Arc::new(AtomicU64::new(0)));
        lock(&self.inner.running).insert(route, Arc::clone(&bytes));
        Running {
            inner: Arc::clone(&self.inner),
            route,
            bytes,
        }
    }
}

/// One stream's count; forgotten when dropped.
pub(super) struct Running {
    inner: Arc<Inner>,
    route: (DatasetId, NodeId),
    pub bytes: Arc<AtomicU64>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut running = lock(&self.inner.running);
        // A later one may have taken its place.
        let is_own = |bytes: &Arc<AtomicU64>| Arc::ptr_eq(bytes, &self.bytes);
        if running.get(&self.route).is_some_and(is_own) {
            running.remove(&self.route);
        }
    }
}
