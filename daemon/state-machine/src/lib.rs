//! The brain: pure, no IO, no clock, no async; events in, actions out.
//!
//! One [`StateMachine`] per node holds the node's view of every dataset and decides, by the
//! ownership protocol of `docs/protocol.md`, who is live, what is replicated to whom, and which
//! branch of a history wins. Same events, same actions: a recorded journal of events replays.
//!
//! # The contract with the executor
//!
//! The executor (the conductor in `daemon/src`, or the simulator) owns disk, network and time. It
//! calls [`StateMachine::step`] with one [`Event`] after the other and carries out the returned
//! [`Action`]s.
//!
//! **Start.** Draw a boot id, have it on disk; give data that is in no snapshot one under a fresh
//! label; delete half-received streams; then [`Event::Booted`], [`Event::Registry`] and, whenever
//! the failure detector speaks, [`Event::PeerAlive`] and [`Event::PeerSuspect`]. A peer of which
//! nothing was said counts as unreachable. A brain never resumes serving from disk: it claims anew.
//!
//! **Order.** Commands about one dataset are carried out in the order given, commands about
//! different datasets don't wait for each other. [`Command::Fence`] overtakes everything that is
//! under way for its dataset. What must be durable before it is shown is not even ordered to be
//! shown before it was reported [`DatasetEvent::Persisted`]; so the executor never has to hold
//! anything back.
//!
//! **Answers.** Each of these is answered once: `Persist` → `Persisted`; `Open` and `ReopenGate` →
//! `Opened` or `OpenFailed`, or nothing once a `Fence` came; `Fence` → `Fenced`; `CloseGate` →
//! `GateClosed` (nothing at all is written after it until `ReopenGate`), or nothing once a `Fence`
//! came; `Replicate` → `ReplicaAcknowledged` or `ReplicateFailed`; `AcceptStream` →
//! `StreamReceived` or `StreamFailed`; `CommitStream` → `StreamCommitted` or `OperationFailed`;
//! `FileDivergent` → `Filed`, `RollBack` → `RolledBack`, `DropCopy` → `CopyDropped`, each or
//! `OperationFailed`. `Persist` and `Fence` must not fail: a node that can't carry one of them out
//! answers nothing and stops itself.
//!
//! **Records.** The record last published per dataset is this node's word. Each node's board of
//! records is brought to its peers, the whole first, then changes, in order. After each `PeerAlive`
//! of a peer that was new or suspected, and for every peer after this node's own gap, the brain
//! judges by nothing of that peer until [`Event::RecordsHeard`] says that all it shows was
//! delivered: records that have not changed need not be given again, but the peer's word that
//! nothing is missing must be newer than the suspicion or the gap.
//!
//! **Standstill.** Before each event, the executor compares clocks (boottime); if it stood still
//! for longer than the detector's time to declare would allow to go unnoticed, [`Event::Gap`] comes
//! before anything else, and nothing is sent or answered before its actions are carried out. Then
//! every connection is to be asked anew whether the board is complete.
//!
//! **Serving.** Requests are let through, snapshots are taken and labelled, and streams are sent
//! only between `Opened` and `Fence` under that epoch. A snapshot's sequence number is the head's
//! plus one within the same epoch, else 1.
//!
//! **The cluster.** [`Event::Cluster`] brings nodes, their load, the rules of balancing, who leads
//! the registry and the moves that other nodes show; [`Event::Loads`] what the datasets take that
//! are live here. The leader of the registry is told the rough [`Event::Sizes`] of all datasets, as it
//! has no copy of most of them. Before the first [`Event::Cluster`] of a start, and after a gap before the next,
//! a brain follows the ownership protocol and decides nothing else: no move is accepted, planned or
//! begun, no copy is placed elsewhere. After a gap it is to be given anew even if nothing changed.
//! The leader of the registry must be shown every node's records (see
//! [`StateMachine::audience`]): it gives new homes to copies.
//!
//! A registry view may leave out datasets that this node neither holds nor is to hold, unless it
//! leads the registry; then other nodes' datasets are counted as far as they are known.
//!
//! **Moves.** [`StateMachine::can_move`] says whether [`DatasetEvent::MoveTo`] would do anything,
//! and why not; asked and told without an event between the two, the answer holds. A move takes all
//! of a site that is live here, each dataset by the protocol's planned move. Every phase of each
//! dataset is told by [`Command::MoveChanged`], the last one with its end, exactly one per dataset
//! and move; [`StateMachine::moves`] says the same with the newest counts. Moves that the brain
//! decides by itself (balance, drain, pin, reunion) look the same. A move is forgotten by a restart of the
//! daemon: the executor writes no receipt then, shows it no longer, and tells whoever asked for it that
//! it was interrupted.
//!
//! **Proposals.** [`Command::SetReplicas`] is brought to the registry, wherever it is led; nothing
//! is reported. [`Command::Decided`] is for the log and the people who read it;
//! [`StateMachine::explain`] keeps the newest ones.
//!
//! **Journal.** Events, actions and the whole [`StateMachine`] are serialisable in formats that do
//! not describe themselves. A brain read back from its serialised form goes on as if nothing had
//! happened: same events, same actions.
//!
//! # Inside
//!
//! `machine` routes and keeps deadlines; `ownership` is one dataset: facts, and the order in which
//! they are judged; `ownership/*` are the transitions by family. `planner` decides what goes beyond
//! the protocol, and `placement` judges nodes for all of it. `datasets` and `small_map` keep a
//! hundred thousand datasets small (`examples/memory.rs` says how small). Rules can be switched off for tests (`Bug`), to prove that the simulator notices.

mod action;
mod bugs;
mod datasets;
mod event;
mod facts;
mod machine;
mod moves;
mod ownership;
mod peers;
pub mod placement;
mod planner;
mod relations;
mod row;
mod size;
mod small_map;
mod status;
mod time;
mod timers;

pub use action::{Action, Alarm, Command, RefusalReason};
pub use bugs::Bug;
pub use event::{
    DatasetEvent, DatasetPolicy, Event, InventoryItem, PastMove, PeerMessage, RegistryView,
    ReplicateFailure, StreamOffer, TakenSnapshot, Unit,
};
pub use facts::{ClusterFacts, DatasetFacts, MoveFacts, NodeFacts};
pub use machine::StateMachine;
pub use moves::{CallOff, MoveStage, MoveStatus, Refused};
pub use row::{PersistToken, PersistedRow, StreamId, TransferId};
pub use size::SizeStep;
pub use status::{DatasetStatus, Phase, ViewStatus};
pub use time::Millis;
pub use timers::Timers;
