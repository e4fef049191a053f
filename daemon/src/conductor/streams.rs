//! Offers of incoming streams that wait for the brain's word.
//!
//! HCFS asks twice: may this stream come in, and, when it is complete in its hidden place, may it be
//! put in its place? The brain answers with actions that name the stream; here the answers find
//! their way back to whoever waits.

use hwc_api::ids::DatasetId;
use hwc_state_machine::{RefusalReason, StreamId};
use std::collections::BTreeMap;
use tokio::sync::oneshot;

type Decision = oneshot::Sender<Result<(), RefusalReason>>;

/// The streams that are known to the brain.
#[derive(Debug, Default)]
pub struct Streams {
    known: BTreeMap<StreamId, Stream>,
}

#[derive(Debug)]
struct Stream {
    dataset: DatasetId,
    waiting: Option<Decision>,
    /// Thrown away by the brain while it still came in.
    is_discarded: bool,
}

impl Streams {
    /// A stream is offered.
    pub fn offered(&mut self, stream: StreamId, dataset: DatasetId, decision: Decision) {
        let waiting = Some(decision);
        self.known.insert(
            stream,
            Stream {
                dataset,
                waiting,
                is_discarded: false,
            },
        );
    }

    /// A stream is complete. Says of which dataset; none when it is not wanted any more, which its
    /// receiver is told at once.
    pub fn received(&mut self, stream: StreamId, decision: Decision) -> Option<DatasetId> {
        match self.known.get_mut(&stream) {
            Some(known) if !known.is_discarded => {
                known.waiting = Some(decision);
                Some(known.dataset)
            }
            Some(_) | None => {
                let _gone = decision.send(Err(RefusalReason::NotFollowing));
                None
            }
        }
    }

    /// The brain says yes, to the offer or to the complete stream.
    pub fn accept(&mut self, stream: StreamId) {
        if let Some(decision) = self
            .known
            .get_mut(&stream)
            .and_then(|known| known.waiting.take())
        {
            let _gone = decision.send(Ok(()));
        }
    }

    /// The brain says no.
    pub fn refuse(&mut self, stream: StreamId, reason: RefusalReason) {
        if let Some(decision) = self.known.remove(&stream).and_then(|known| known.waiting) {
            let _gone = decision.send(Err(reason));
        }
    }

    /// The brain throws an accepted stream away, wherever it is.
    pub fn discard(&mut self, stream: StreamId) {
        let Some(known) = self.known.get_mut(&stream) else {
            return;
        };
        match known.waiting.take() {
            Some(decision) => {
                let _gone = decision.send(Err(RefusalReason::NotFollowing));
                self.known.remove(&stream);
            }
            None => known.is_discarded = true,
        }
    }

    /// The stream ended, in its place or not.
    pub fn ended(&mut self, stream: StreamId) {
        self.known.remove(&stream);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: StreamId = StreamId(1);
    const DATASET: DatasetId = DatasetId(7);

    #[tokio::test]
    async fn the_brains_word_finds_its_way_back() {
        let mut streams = Streams::default();
        let (offer, offered) = oneshot::channel();
        streams.offered(STREAM, DATASET, offer);
        streams.accept(STREAM);
        assert_eq!(offered.await, Ok(Ok(())));
        let (complete, completed) = oneshot::channel();
        assert_eq!(streams.received(STREAM, complete), Some(DATASET));
        streams.discard(STREAM);
        assert_eq!(completed.await, Ok(Err(RefusalReason::NotFollowing)));
    }

    #[tokio::test]
    async fn a_stream_thrown_away_on_its_way_is_not_put_in_place() {
        let mut streams = Streams::default();
        let (offer, _offered) = oneshot::channel();
        streams.offered(STREAM, DATASET, offer);
        streams.accept(STREAM);
        streams.discard(STREAM);
        let (complete, completed) = oneshot::channel();
        assert_eq!(streams.received(STREAM, complete), None);
        assert!(completed.await.expect("told").is_err());
    }
}
