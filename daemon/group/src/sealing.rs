//! The node's sealer and opener, shared between the task that sends and whoever replaces keys.

use crate::datagram::{Opener, Refusal, SealError, Sealer};
use crate::identity::{SealingKey, Start};
use hwc_api::ids::{ClusterId, NodeId};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Seals and opens datagrams under the keys of the moment. Clones are the same.
#[derive(Clone)]
pub(crate) struct Sealing(Arc<Mutex<Both>>);

struct Both {
    sealer: Sealer,
    opener: Opener,
}

impl Sealing {
    /// # Errors
    /// When there is no key.
    pub(crate) fn new(
        cluster: &ClusterId,
        keys: &[SealingKey],
        me: NodeId,
        start: Start,
    ) -> Result<Self, SealError> {
        Ok(Self(Arc::new(Mutex::new(Both {
            sealer: Sealer::new(cluster, keys, me, start)?,
            opener: Opener::new(cluster, me, keys),
        }))))
    }

    pub(crate) fn seal(&self, content: &[u8]) -> Result<Vec<u8>, SealError> {
        self.both().sealer.seal(content)
    }

    pub(crate) fn open(
        &self,
        datagram: &[u8],
        admits: impl Fn(NodeId) -> bool,
    ) -> Result<(NodeId, Vec<u8>), Refusal> {
        self.both().opener.open(datagram, admits)
    }

    /// Forgets senders that left the cluster.
    pub(crate) fn retain(&self, stays: impl Fn(NodeId) -> bool) {
        self.both().opener.retain(stays);
    }

    /// Replaces the keys: the first one seals, all of them open.
    ///
    /// # Errors
    /// When there is none; then the old ones stay.
    pub(crate) fn set_keys(&self, keys: &[SealingKey]) -> Result<(), SealError> {
        let mut both = self.both();
        both.sealer.set_key(keys)?;
        both.opener.set_keys(keys);
        Ok(())
    }

    fn both(&self) -> MutexGuard<'_, Both> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
