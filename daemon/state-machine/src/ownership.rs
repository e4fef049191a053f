//! Ownership of one dataset, as one node sees it: the facts, and the order in which they are judged.
//!
//! Events only change facts (`take_in`); then `settle` applies transitions until none is due. A
//! transition looks at the facts alone, never at the event that came last: so nothing is missed
//! when an event comes while an operation is under way, and the order of events matters little.
//! The transitions T1 to T19 of `docs/protocol.md` are in the files below this one, one family each.

mod anchor;
mod boot;
mod claim;
mod contest;
mod copies;
mod divergent;
mod fence;
mod follow;
mod judgement;
mod moving;
mod outlook;
mod publish;
mod receive;
mod replicate;
mod routing;
mod view;

use crate::action::Command;
use crate::bugs::Bugs;
use crate::event::{DatasetPolicy, StreamOffer};
use crate::moves::CallOff;
use crate::peers::Peers;
use crate::row::{PersistToken, PersistedRow, StreamId, TransferId};
use crate::small_map::SmallMap;
use crate::time::Millis;
use crate::timers::Timers;
use hwc_api::ids::NodeId;
use hwc_api::ownership::{
    Epoch, HolderRecord, Lineage, LineageEntry, RouteRecord, SnapshotId, Speaker,
};
use hwc_api::time::WallTime;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use view::View;

pub(crate) use outlook::Following;

/// No chain of transitions is longer; more would be a transition that undoes another.
const MOST_TRANSITIONS_PER_STEP: usize = 32;

/// What a dataset needs to know of its node while it judges.
pub(crate) struct Context<'a> {
    pub(crate) now: Millis,
    pub(crate) me: Speaker,
    pub(crate) timers: &'a Timers,
    pub(crate) peers: &'a Peers,
    pub(crate) listening_since: Millis,
    pub(crate) my_join_index: u64,
    /// The nodes that are to serve nothing: drained, or not hosting.
    pub(crate) leaving: &'a BTreeSet<NodeId>,
    /// For a database: the node that serves, or is about to serve, the files of its site.
    pub(crate) site_home: Option<NodeId>,
    pub(crate) bugs: &'a Bugs,
    pub(crate) counters: &'a mut Counters,
    pub(crate) commands: Vec<Command>,
}

impl Context<'_> {
    fn order(&mut self, command: Command) {
        self.commands.push(command);
    }
}

/// Names drawn by this brain, unique within its start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counters {
    persist: u64,
    transfer: u64,
}

impl Counters {
    fn persist_token(&mut self) -> PersistToken {
        self.persist += 1;
        PersistToken(self.persist)
    }

    fn transfer_id(&mut self) -> TransferId {
        self.transfer += 1;
        TransferId(self.transfer)
    }
}

/// What this node is doing for the dataset.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
enum Role {
    #[default]
    Replica,
    Claiming(Box<Claim>),
    Serving(Box<Service>),
    Fencing(Fencing),
}

/// A claim that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Claim {
    epoch: Epoch,
    /// Handed over by the live node in a planned move: nobody needs to be asked.
    is_promoted: bool,
    /// Since when the claim has been shown; `None` until it is persisted.
    asked_at: Option<Millis>,
    /// Holders that stayed silent for too long: out of reach for this round.
    silent: BTreeSet<NodeId>,
}

/// Being live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Service {
    epoch: Epoch,
    heard: Vec<Speaker>,
    is_open: bool,
    moving: Option<Move>,
    /// Who may drop its copy in this epoch, and when it was told last.
    granted: SmallMap<NodeId, Millis>,
    transfers: SmallMap<NodeId, Transfer>,
}

/// A planned move to another node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Move {
    to: NodeId,
    since: Millis,
    gate: MoveGate,
    /// The target is close enough to close the gate.
    is_ready: bool,
    /// The gate may be closed once the target is ready: the rest of the site is ready too.
    may_close: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum MoveGate {
    /// Serving, while the target is brought up to date.
    Open,
    Closing,
    Closed,
    /// Called off before the gate was closed: reopened once it is.
    CalledOff,
}

/// How a planned move ended, as far as this node's part in it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum MoveEnd {
    /// Authority was handed over; this epoch ended.
    Promoted { epoch: Epoch },
    /// It came to nothing.
    CalledOff(CallOff),
}

/// What a holder was sent and has confirmed, in this epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) rounds: u32,
    pub(crate) bytes: u64,
}

/// Being stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Fencing {
    epoch: Epoch,
    /// Whether the branch, once final, is to be compared with others.
    will_contend: bool,
}

/// Sending to one holder.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Transfer {
    under_way: Option<Sending>,
    failures: u32,
    not_before: Millis,
    /// An increment was impossible: send the whole content next.
    send_whole: bool,
    /// What was sent since the last acknowledgement: the receiver may have it, though nothing was
    /// heard of that, and is then to be sent what follows.
    offered: Vec<SnapshotId>,
}

/// A transfer that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Sending {
    id: TransferId,
    lineage: Lineage,
    /// Changed bytes that the receiver lacks.
    bytes: u64,
}

/// A local operation that changes the copy; while it runs nothing else may be judged by the copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Operation {
    Filing { head: Lineage, winner: Lineage },
    RollingBack,
    Dropping,
    Committing,
}

/// A stream from the live node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Incoming {
    stream: StreamId,
    offer: StreamOffer,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    Offered,
    Receiving,
    Received,
    Committing,
}

/// How long to keep quiet after claims that were given up.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Backoff {
    given_up: u32,
    last: Millis,
    until: Millis,
}

/// The node's row, as wanted and as far as it has come.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Row {
    wanted: PersistedRow,
    ordered: PersistedRow,
    pending: Option<PersistToken>,
    anchors_moved_at: Option<Millis>,
}

/// One dataset as one node sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Ownership {
    // What the registry and the peers say.
    policy: Option<DatasetPolicy>,
    views: SmallMap<NodeId, View>,
    /// The highest epoch that anybody was heard to have seen.
    learned: Epoch,
    is_deleted_elsewhere: bool,

    // What is on this node's disk.
    row: Row,
    copy: Option<Lineage>,
    head_taken_at: WallTime,
    divergent: Vec<Lineage>,

    // What this node is doing.
    role: Role,
    is_contending: bool,
    against: Epoch,
    operation: Option<Operation>,
    operation_not_before: Millis,
    incoming: Option<Box<Incoming>>,
    grant: Option<Box<(Epoch, Lineage)>>,
    backoff: Backoff,
    /// The target of a planned move whose old node has stopped, and until when it goes first.
    handed_to: Option<(NodeId, Millis)>,
    claimable_since: Option<Millis>,
    /// Per holder, in the present or last epoch of this node.
    sent: SmallMap<NodeId, Sent>,
    /// How the last planned move from here ended; taken by the planner.
    move_end: Option<MoveEnd>,
    /// Divergent copies offered to others, and when to offer them again.
    pushed: BTreeMap<SnapshotId, Millis>,

    // What the executor was told last.
    shown: Option<Box<HolderRecord>>,
    routed: Option<RouteRecord>,
    retained: Option<Vec<SnapshotId>>,
    wake_at: Option<Millis>,
}

impl Ownership {
    /// The registry's word, newest known. Returns whether it is another than before.
    pub(crate) fn learn_policy(&mut self, policy: Option<DatasetPolicy>) -> bool {
        let is_new = self.policy != policy;
        self.policy = policy;
        is_new
    }

    /// Applies every transition that is due, then shows the outcome.
    pub(crate) fn settle(&mut self, context: &mut Context<'_>) {
        self.wake_at = None;
        if self.is_holder(context.me.node) {
            for _ in 0..MOST_TRANSITIONS_PER_STEP {
                if !self.advance(context) {
                    break;
                }
            }
            self.move_anchors(context);
            self.replicate(context);
            self.grant_drops(context);
            self.push_divergent(context);
            self.persist(context);
        }
        self.show(context);
    }

    /// One transition, the most urgent first. Returns whether there was one.
    fn advance(&mut self, context: &mut Context<'_>) -> bool {
        self.obey_deletion(context)
            || self.heed_higher_epoch(context)
            || self.heed_contest(context)
            || self.judge_winner(context)
            || self.continue_claim(context)
            || self.continue_move(context)
            || self.continue_stream(context)
            || self.follow_winner(context)
            || self.drop_granted(context)
            || self.claim(context)
    }

    /// Whether this node has a say in the dataset: it should have a copy, or has anything of it.
    fn is_holder(&self, me: NodeId) -> bool {
        self.is_member(me)
            || self.copy.is_some()
            || !self.divergent.is_empty()
            || self.role != Role::Replica
            || self.operation.is_some()
    }

    /// Whether this node has, and had, nothing to do with the dataset: settling it changes nothing,
    /// whatever becomes of its holders.
    pub(crate) fn is_foreign(&self, me: NodeId) -> bool {
        !self.is_holder(me)
            && self.shown.is_none()
            && self.routed.is_none()
            && self.retained.is_none()
            && self.wake_at.is_none()
    }

    /// Whether the registry wants `node` to hold a copy.
    fn is_member(&self, node: NodeId) -> bool {
        self.members().contains(&node)
    }

    fn members(&self) -> &[NodeId] {
        self.policy
            .as_ref()
            .map_or(&[], |policy| policy.replicas.as_slice())
    }

    fn is_deleted(&self) -> bool {
        self.row.wanted.is_deleted
    }

    fn seen(&self) -> Epoch {
        self.row.wanted.seen
    }

    fn see(&mut self, epoch: Epoch) {
        self.row.wanted.seen = self.seen().max(epoch);
        self.learned = self.learned.max(epoch);
    }

    /// Whether there is a copy that counts: not one whose deletion was granted.
    fn has_copy(&self) -> bool {
        self.copy.is_some() && !self.row.wanted.is_dropped
    }

    /// Whether an operation is under way after which the copy is another.
    fn is_copy_changing(&self) -> bool {
        match &self.operation {
            Some(Operation::RollingBack | Operation::Dropping | Operation::Committing) => true,
            Some(Operation::Filing { .. }) | None => false,
        }
    }

    /// The history of the copy; genesis where there is none.
    fn head(&self) -> &Lineage {
        static GENESIS: Lineage = Lineage::genesis();
        self.copy.as_ref().unwrap_or(&GENESIS)
    }

    /// Asks to be looked at again at `at`.
    fn wake(&mut self, context: &Context<'_>, at: Millis) {
        if at > context.now {
            self.wake_at = Some(self.wake_at.map_or(at, |earlier| earlier.min(at)));
        }
    }

    pub(crate) fn wake_at(&self) -> Option<Millis> {
        self.wake_at
    }

    pub(crate) fn serving(&self) -> Option<Epoch> {
        match &self.role {
            Role::Serving(service) => Some(service.epoch),
            Role::Replica | Role::Claiming(_) | Role::Fencing(_) => None,
        }
    }

    pub(crate) fn shown(&self) -> Option<&HolderRecord> {
        self.shown.as_deref()
    }

    pub(crate) fn retained(&self) -> Vec<SnapshotId> {
        self.retained.clone().unwrap_or_default()
    }
}

/// The entries' place of a snapshot in a history; greater is newer, `None` is not in it.
fn place_in(lineage: &Lineage, snapshot: SnapshotId) -> Option<(usize, u32)> {
    let holds = |entry: &LineageEntry| {
        entry.epoch == snapshot.epoch && snapshot.sequence <= entry.last_sequence
    };
    let place = lineage.entries().iter().position(holds)?;
    Some((place, snapshot.sequence))
}
