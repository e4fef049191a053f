//! Work that is woken by a timer and by a signal, one run at a time.
//!
//! A run takes no hints: it works from full state, is idempotent, and so may be woken too often
//! without harm. Signals that arrive during a run cause exactly one more.

use crate::lifecycle::Tasks;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Wakes one piece of periodic work. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Waker(Arc<Notify>);

impl Waker {
    /// A waker that nobody listens to yet; a wake before the work starts is kept.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for a run soon.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    /// Waits until woken. Cancel-safe.
    pub async fn woken(&self) {
        self.0.notified().await;
    }
}

/// Runs `work` now, then whenever `waker` is woken, and at least every `interval`, until the group
/// stops. A run that began is finished before the group's stop is obeyed.
pub fn spawn_periodic<W, F>(
    tasks: &Tasks,
    name: &str,
    interval: Duration,
    waker: &Waker,
    mut work: W,
) where
    W: FnMut() -> F + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let token = tasks.token();
    let waker = waker.clone();
    tasks.spawn(name.to_owned(), async move {
        loop {
            work().await;
            tokio::select! {
                () = token.cancelled() => return,
                () = waker.woken() => {}
                () = tokio::time::sleep(interval) => {}
            }
        }
    });
}
