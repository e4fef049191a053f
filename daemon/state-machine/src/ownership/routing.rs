//! Which fact each event changes.

use super::{Context, Ownership};
use crate::event::{DatasetEvent, PeerMessage};

impl Ownership {
    /// Takes in one event; `settle` decides what follows from it.
    pub(crate) fn take_in(&mut self, event: DatasetEvent, context: &mut Context<'_>) {
        match event {
            DatasetEvent::Record { from, record } => {
                self.heed_hand_over(from, &record, context);
                self.hear_record(from, record);
            }
            DatasetEvent::Message { from: _, message } => self.heed_message(message, context),
            DatasetEvent::Persisted { token } => self.persisted(token),
            DatasetEvent::Opened { epoch } => self.opened(epoch),
            DatasetEvent::OpenFailed { epoch } => self.open_failed(epoch, context),
            DatasetEvent::Fenced {
                epoch,
                final_snapshot,
            } => self.fenced(epoch, final_snapshot, context),
            DatasetEvent::GateClosed {
                epoch,
                final_snapshot,
            } => self.gate_closed(epoch, final_snapshot, context),
            DatasetEvent::SnapshotTaken(taken) => self.snapshot_taken(taken, context),
            DatasetEvent::StreamOffered { stream, offer } => {
                self.stream_offered(stream, offer, context);
            }
            DatasetEvent::StreamReceived { stream } => self.stream_received(stream, context),
            DatasetEvent::StreamFailed { stream } => self.stream_failed(stream),
            DatasetEvent::StreamCommitted { stream } => self.stream_committed(stream),
            DatasetEvent::ReplicaAcknowledged { transfer } => {
                self.replica_acknowledged(transfer, context);
            }
            DatasetEvent::ReplicateFailed { transfer, failure } => {
                self.replicate_failed(transfer, failure, context);
            }
            DatasetEvent::Filed { lineage } => self.filed(lineage, context),
            DatasetEvent::RolledBack { lineage } => self.rolled_back(lineage),
            DatasetEvent::CopyDropped => self.copy_dropped(),
            DatasetEvent::OperationFailed => self.operation_failed(context),
            DatasetEvent::DivergentReceived { lineage } => self.divergent_received(lineage),
            DatasetEvent::DivergentForgotten { lineage } => self.divergent_forgotten(&lineage),
            // The planner's: what it makes of them comes back as orders of its own.
            DatasetEvent::MoveTo { .. } | DatasetEvent::CallOffMove => {}
        }
    }

    fn heed_message(&mut self, message: PeerMessage, context: &Context<'_>) {
        match message {
            PeerMessage::Promote { to, epoch, lineage } => {
                self.promoted(to, epoch, &lineage, context);
            }
            PeerMessage::Grant { epoch, lineage } => self.granted(epoch, lineage),
        }
    }
}
