//! Keeps YakD at work: whenever the settings change or a dataset comes or goes, and every half a
//! minute, so that what somebody changed by hand is put right.

use super::hands::Rooms;
use hwc_api::ids::DatasetId;
use hwc_runtime::periodic::{Waker, spawn_periodic};
use hwc_yakd::Report;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Between two reconciliations that nothing asked for.
const INTERVAL: Duration = Duration::from_secs(30);

/// The newest report of YakD.
#[derive(Debug, Clone, Default)]
pub struct NewestReport(Arc<Mutex<Report>>);

impl NewestReport {
    /// The report.
    #[must_use]
    pub fn get(&self) -> Report {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Begins to keep YakD at work. The template of databases is made beside the rest, after the first
/// run: it takes seconds, and new sites are not to wait for it.
pub fn spawn(rooms: &Arc<Rooms>, waker: &Waker, told: &Waker) -> NewestReport {
    let newest = NewestReport::default();
    let (rooms_kept, newest_kept, told) = (Arc::clone(rooms), newest.clone(), told.clone());
    let has_run = Waker::new();
    spawn_template(rooms, &has_run);
    spawn_periodic(
        &rooms.tasks,
        "reconcile services",
        INTERVAL,
        waker,
        move || {
            let (rooms, newest, told) =
                (Arc::clone(&rooms_kept), newest_kept.clone(), told.clone());
            let has_run = has_run.clone();
            async move {
                let desired = Arc::clone(&rooms.desired.borrow());
                let live: BTreeSet<DatasetId> = desired
                    .datasets
                    .keys()
                    .copied()
                    .filter(|dataset| rooms.proxy.gate(*dataset).is_some())
                    .collect();
                let report = rooms.yakd.reconcile(&desired, &live).await;
                for problem in &report.problems {
                    tracing::error!(code = %problem.code, "{}", problem.message);
                }
                *newest.0.lock().unwrap_or_else(PoisonError::into_inner) = report;
                told.wake();
                has_run.wake();
            }
        },
    );
    newest
}

fn spawn_template(rooms: &Arc<Rooms>, has_run: &Waker) {
    let (rooms_kept, has_run) = (Arc::clone(rooms), has_run.clone());
    let title = "make the template of databases";
    rooms.tasks.spawn_until_stopped(title, async move {
        loop {
            has_run.woken().await;
            rooms_kept.yakd.make_database_template().await;
        }
    });
}
