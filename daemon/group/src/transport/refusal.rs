//! Why a connection was refused, counted.

use serde::Serialize;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};
use tokio::time::error::Elapsed;

/// Why a connection of somebody else was refused. Nothing was changed by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum StreamRefusal {
    /// All places of those who did not prove yet who they are were taken.
    #[error("all places are taken")]
    Crowded,
    /// It did not prove in time who it is.
    #[error("too slow")]
    Slow,
    /// The handshake failed: noise, no certificate, or one of another authority.
    #[error("no handshake of a node of ours")]
    Handshake,
    /// A node of another cluster.
    #[error("a node of another cluster")]
    OtherCluster,
    /// A certificate of ours that names no node.
    #[error("a certificate without a node's name")]
    NoName,
    /// A node that is not, or no longer, in the roster.
    #[error("not in the roster")]
    UnknownNode,
    /// It asked for nothing that this node offers.
    #[error("no such service here")]
    NoService,
}

/// How often each happened.
#[derive(Debug, Default)]
pub(super) struct StreamRefusals(Mutex<BTreeMap<StreamRefusal, u64>>);

impl StreamRefusals {
    pub(super) fn count(&self, why: StreamRefusal) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(why).or_default() += 1;
    }

    pub(super) fn counts(&self) -> BTreeMap<StreamRefusal, u64> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.clone()
    }
}

impl From<StreamRefusal> for io::Error {
    fn from(why: StreamRefusal) -> Self {
        Self::new(io::ErrorKind::PermissionDenied, why)
    }
}

/// What an error of an admission was.
pub(super) fn classify(error: &io::Error) -> StreamRefusal {
    let source = error.get_ref();
    let ours = source.and_then(|source| source.downcast_ref::<StreamRefusal>());
    match ours {
        Some(why) => *why,
        None if source.is_some_and(|source| source.is::<Elapsed>()) => StreamRefusal::Slow,
        None => StreamRefusal::Handshake,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_apart() {
        let check = |error: io::Error, why| assert_eq!(classify(&error), why);
        check(StreamRefusal::NoService.into(), StreamRefusal::NoService);
        check(
            io::ErrorKind::UnexpectedEof.into(),
            StreamRefusal::Handshake,
        );
        check(io::Error::other("noise"), StreamRefusal::Handshake);
    }
}
