//! Every task has a name, an owner, a token that asks it to stop, and a deadline for stopping.
//!
//! The one lawful place of `tokio::spawn`. A [`Tasks`] group is stopped as a whole: the token is
//! cancelled, the tasks are waited for, and those that outlive the deadline are aborted and named
//! in the log.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// A group of tasks that live and end together. Cheap to clone: clones are the same group.
#[derive(Debug, Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    token: CancellationToken,
    running: Arc<Mutex<Running>>,
}

#[derive(Debug, Default)]
struct Running {
    next: u64,
    tasks: BTreeMap<u64, (String, AbortHandle)>,
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}

impl Tasks {
    /// An empty group.
    #[must_use]
    pub fn new() -> Self {
        Self::with_token(CancellationToken::new())
    }

    /// A group that is asked to stop when this one is, and can be stopped alone.
    #[must_use]
    pub fn child(&self) -> Self {
        Self::with_token(self.token.child_token())
    }

    fn with_token(token: CancellationToken) -> Self {
        Self {
            tracker: TaskTracker::new(),
            token,
            running: Arc::default(),
        }
    }

    /// The token that asks this group's tasks to stop.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Starts a task. It should end soon after [`Tasks::token`] is cancelled; what it does between
    /// two awaits is never cut, but a task that ignores the token is aborted at the deadline.
    #[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
    pub fn spawn<F>(&self, name: impl Into<String>, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let name = name.into();
        let span = tracing::info_span!("task", name = %name);
        let running = Arc::clone(&self.running);
        let key = {
            let mut guard = running.lock().unwrap_or_else(PoisonError::into_inner);
            guard.next += 1;
            guard.next
        };
        // The guard is made inside the future, so that a task that is never polled leaves no entry.
        let registered = Arc::clone(&self.running);
        let handle = tokio::spawn(
            self.tracker.track_future(
                async move {
                    let _forget = Forget { key, running };
                    task.await;
                }
                .instrument(span),
            ),
        );
        let abort = handle.abort_handle();
        if !handle.is_finished() {
            let mut guard = registered.lock().unwrap_or_else(PoisonError::into_inner);
            guard.tasks.insert(key, (name, abort));
            // It may have ended between the two looks; then its own clean-up came too early.
            if handle.is_finished() {
                guard.tasks.remove(&key);
            }
        }
    }

    /// Starts a task that is simply dropped (at its next await) when the group stops. Only for work
    /// that may be cut at any await.
    pub fn spawn_until_stopped<F>(&self, name: impl Into<String>, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let token = self.token();
        self.spawn(name, async move {
            let _stopped_or_done = token.run_until_cancelled(task).await;
        });
    }

    /// Asks all tasks to stop, waits for them, and aborts those that outlive the deadline.
    /// Returns the names of the aborted.
    pub async fn stop(&self, deadline: Duration) -> Vec<String> {
        self.token.cancel();
        self.tracker.close();
        if tokio::time::timeout(deadline, self.tracker.wait())
            .await
            .is_ok()
        {
            return Vec::new();
        }
        let late: Vec<_> = {
            let mut guard = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut guard.tasks).into_values().collect()
        };
        late.into_iter()
            .map(|(name, handle)| {
                tracing::warn!(task = %name, "task did not stop in time and is aborted");
                handle.abort();
                name
            })
            .collect()
    }
}

struct Forget {
    key: u64,
    running: Arc<Mutex<Running>>,
}

impl Drop for Forget {
    fn drop(&mut self) {
        let mut guard = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        guard.tasks.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tasks_end_when_asked() {
        let tasks = Tasks::new();
        let token = tasks.token();
        tasks.spawn("obedient", async move { token.cancelled().await });
        assert!(tasks.stop(Duration::from_secs(5)).await.is_empty());
    }

    #[tokio::test]
    async fn a_deaf_task_is_aborted_and_named() {
        let tasks = Tasks::new();
        tasks.spawn("deaf", std::future::pending());
        assert_eq!(tasks.stop(Duration::from_millis(20)).await, ["deaf"]);
    }

    #[tokio::test]
    async fn a_child_stops_with_its_parent() {
        let parent = Tasks::new();
        let child = parent.child();
        assert!(parent.stop(Duration::from_secs(1)).await.is_empty());
        assert!(child.token().is_cancelled());
    }
}
