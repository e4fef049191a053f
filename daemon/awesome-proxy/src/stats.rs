//! What the front doors count: who waits, who waited and how long, who was served, who was not.

mod account;

pub(crate) use account::PauseAccount;

use hwc_api::ids::DatasetId;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counters of one dataset since the start of the daemon. HTTP requests and MySQL logins together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DatasetStats {
    /// Waiting for a live node at this moment.
    pub waiting: usize,
    /// Inside at this moment: being served by this node's own services.
    pub in_flight: usize,
    /// How many ever waited.
    pub waited: u64,
    /// The longest wait, milliseconds.
    pub longest_wait_ms: u64,
    /// Answered by a live node, here or elsewhere.
    pub served: u64,
    /// Told by us that it did not work (502, 503, 504; a refused login).
    pub failed: u64,
    /// HTTP requests that were handed to this node's own services, for visitors at any node: the
    /// work that the dataset makes here.
    pub requests: u64,
    /// The same for statements of MySQL sessions.
    pub statements: u64,
}

/// Counters of the whole node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProxyStats {
    /// The sum over all datasets; `longest_wait_ms` is the longest of all.
    pub total: DatasetStats,
    /// Per dataset, those that were asked for since the start.
    pub datasets: BTreeMap<DatasetId, DatasetStats>,
}

impl ProxyStats {
    /// Adds one dataset's counters.
    pub(crate) fn add(&mut self, dataset: DatasetId, stats: DatasetStats) {
        let total = &mut self.total;
        total.waiting += stats.waiting;
        total.in_flight += stats.in_flight;
        total.waited += stats.waited;
        total.longest_wait_ms = total.longest_wait_ms.max(stats.longest_wait_ms);
        total.served += stats.served;
        total.failed += stats.failed;
        total.requests += stats.requests;
        total.statements += stats.statements;
        self.datasets.insert(dataset, stats);
    }
}

/// The growing counters of one dataset.
#[derive(Debug, Default)]
pub struct Counters {
    waited: AtomicU64,
    longest_wait_ms: AtomicU64,
    served: AtomicU64,
    failed: AtomicU64,
    requests: AtomicU64,
    statements: AtomicU64,
}

impl Counters {
    /// A wait ended; `is_first` unless this request's was counted before, and it had to wait again.
    pub fn count_wait(&self, wait: Duration, is_first: bool) {
        let milliseconds = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        self.waited
            .fetch_add(u64::from(is_first), Ordering::Relaxed);
        self.longest_wait_ms
            .fetch_max(milliseconds, Ordering::Relaxed);
    }

    /// A live node answered.
    pub fn count_served(&self) {
        self.served.fetch_add(1, Ordering::Relaxed);
    }

    /// We told somebody that it did not work.
    pub fn count_failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// A request went to this node's own web server.
    pub fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// So many statements went to this node's own database server.
    pub fn count_statements(&self, count: u64) {
        self.statements.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, waiting: usize, in_flight: usize) -> DatasetStats {
        DatasetStats {
            waiting,
            in_flight,
            waited: self.waited.load(Ordering::Relaxed),
            longest_wait_ms: self.longest_wait_ms.load(Ordering::Relaxed),
            served: self.served.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
            statements: self.statements.load(Ordering::Relaxed),
        }
    }
}
