//! HCFS's questions about incoming streams, brought to the brain and back.

use super::input::{Input, Inputs};
use futures::future::BoxFuture;
use hwc_hcfs::{FailedStage, Purpose, RefusalReason, StreamGate, StreamId, StreamOffer};
use hwc_state_machine::{self as brain, DatasetEvent};
use tokio::sync::oneshot;

/// Asks the conductor.
#[derive(Debug, Clone)]
pub struct ConductorGate {
    inputs: Inputs,
}

impl ConductorGate {
    /// A gate whose questions go to the conductor.
    #[must_use]
    pub const fn new(inputs: Inputs) -> Self {
        Self { inputs }
    }

    async fn ask(
        &self,
        question: impl FnOnce(oneshot::Sender<Result<(), brain::RefusalReason>>) -> Input,
    ) -> Result<(), RefusalReason> {
        let (decision, decided) = oneshot::channel();
        let _stopped = self.inputs.send(question(decision));
        match decided.await {
            Ok(answer) => answer.map_err(reason),
            // The daemon stops, or the brain has forgotten the stream.
            Err(_) => Err(RefusalReason::Busy),
        }
    }

    fn tell(&self, offer: &StreamOffer, event: DatasetEvent) {
        let _stopped = self.inputs.send(Input::Dataset(offer.dataset, event));
    }
}

impl StreamGate for ConductorGate {
    fn offered<'a>(
        &'a self,
        stream: StreamId,
        offer: &'a StreamOffer,
    ) -> BoxFuture<'a, Result<(), RefusalReason>> {
        Box::pin(async move {
            match offer.purpose {
                // A divergent copy is taken by whoever has room: it is never served.
                Purpose::Divergent => Ok(()),
                Purpose::Replica => {
                    self.ask(|decision| Input::Offer {
                        stream: stream_id(stream),
                        dataset: offer.dataset,
                        offer: brain_offer(offer),
                        decision,
                    })
                    .await
                }
            }
        })
    }

    fn received<'a>(
        &'a self,
        stream: StreamId,
        offer: &'a StreamOffer,
    ) -> BoxFuture<'a, Result<(), RefusalReason>> {
        Box::pin(async move {
            match offer.purpose {
                Purpose::Divergent => Ok(()),
                Purpose::Replica => {
                    self.ask(|decision| Input::Received {
                        stream: stream_id(stream),
                        decision,
                    })
                    .await
                }
            }
        })
    }

    fn committed(&self, stream: StreamId, offer: &StreamOffer) {
        let event = match offer.purpose {
            Purpose::Replica => DatasetEvent::StreamCommitted {
                stream: stream_id(stream),
            },
            Purpose::Divergent => DatasetEvent::DivergentReceived {
                lineage: offer.lineage.clone(),
            },
        };
        self.tell(offer, event);
    }

    fn failed(&self, stream: StreamId, offer: &StreamOffer, stage: FailedStage) {
        let event = match (offer.purpose, stage) {
            (Purpose::Divergent, _) => return,
            (Purpose::Replica, FailedStage::Transfer) => DatasetEvent::StreamFailed {
                stream: stream_id(stream),
            },
            (Purpose::Replica, FailedStage::Commit) => DatasetEvent::OperationFailed,
        };
        self.tell(offer, event);
    }
}

const fn stream_id(stream: StreamId) -> brain::StreamId {
    brain::StreamId(stream.0)
}

fn brain_offer(offer: &StreamOffer) -> brain::StreamOffer {
    brain::StreamOffer {
        from: offer.from,
        epoch: offer.epoch,
        parent: offer.parent,
        lineage: offer.lineage.clone(),
        head_taken_at: offer.taken_at,
    }
}

const fn reason(reason: brain::RefusalReason) -> RefusalReason {
    match reason {
        brain::RefusalReason::OldEpoch => RefusalReason::OldEpoch,
        brain::RefusalReason::OtherParent => RefusalReason::OtherParent,
        brain::RefusalReason::NotFollowing => RefusalReason::NotFollowing,
        brain::RefusalReason::Deleted => RefusalReason::Deleted,
        brain::RefusalReason::NotAMember => RefusalReason::NotAMember,
        brain::RefusalReason::Busy => RefusalReason::Busy,
    }
}
