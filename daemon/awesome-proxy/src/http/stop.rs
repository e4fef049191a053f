//! What makes a request stop where it is: a fence of this node, or another node's becoming live.

use super::timer::Timer;
use futures::future::BoxFuture;
use std::task::{Context, Poll};
use std::time::Duration;

/// See the head of this file.
pub(super) enum Stop {
    /// Nothing: the panel and the API are on every node.
    Never,
    /// The fence: at once.
    Cut(BoxFuture<'static, ()>),
    /// Another node became live while this request was at one. What that node said before is
    /// awaited for a moment: only one that is dead has nothing more to say.
    Moved {
        /// Ready when another node is live.
        moved: BoxFuture<'static, ()>,
        has_moved: bool,
        /// How long a node may be silent that is not live any more.
        grace: Duration,
        timer: Timer,
    },
}

impl Stop {
    /// For a request at another node.
    pub fn moved(moved: BoxFuture<'static, ()>, grace: Duration) -> Self {
        Self::Moved {
            moved,
            has_moved: false,
            grace,
            timer: Timer::NONE,
        }
    }

    /// Ready when the request must stop. To be asked when there is nothing to read.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Never => Poll::Pending,
            Self::Cut(cut) => cut.as_mut().poll(cx),
            Self::Moved {
                moved,
                has_moved,
                grace,
                timer,
            } => {
                if !*has_moved {
                    std::task::ready!(moved.as_mut().poll(cx));
                    *has_moved = true;
                }
                timer.set_once(*grace);
                timer.poll(cx)
            }
        }
    }

    /// Something came.
    pub const fn progress(&mut self) {
        match self {
            Self::Never | Self::Cut(_) => {}
            Self::Moved { timer, .. } => timer.clear(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    async fn is_stopped_within(stop: &mut Stop, limit: Duration) -> bool {
        let stopped = poll_fn(|cx| stop.poll(cx));
        tokio::time::timeout(limit, stopped).await.is_ok()
    }

    #[tokio::test]
    async fn a_node_that_is_not_live_any_more_may_finish_its_sentence() {
        let grace = Duration::from_millis(60);
        let mut stop = Stop::moved(Box::pin(std::future::ready(())), grace);
        assert!(!is_stopped_within(&mut stop, grace / 4).await);
        stop.progress();
        assert!(is_stopped_within(&mut stop, grace * 100).await);
    }

    #[tokio::test]
    async fn a_fence_stops_at_once() {
        let mut stop = Stop::Cut(Box::pin(std::future::ready(())));
        assert!(is_stopped_within(&mut stop, Duration::from_secs(20)).await);
    }
}
