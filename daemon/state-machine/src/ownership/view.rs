//! The other holders as this node sees them: records, who counts as known, who is in reach.

use super::{Context, Ownership};
use crate::peers::Peers;
use crate::time::Millis;
use hwc_api::ids::{BootId, NodeId};
use hwc_api::ownership::{Epoch, HolderRecord, HolderState, Lineage};
use hwc_api::time::WallTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a peer that shows nothing about a dataset is taken to show.
static NOTHING: HolderRecord = HolderRecord {
    boot: BootId(0),
    state: HolderState::Replica,
    is_contending: false,
    has_copy: false,
    is_deleted: false,
    epoch: Epoch::NONE,
    seen: Epoch::NONE,
    lineage: Lineage::genesis(),
    heard: Vec::new(),
    against: Epoch::NONE,
    divergent: Vec::new(),
    moving_to: None,
    head_taken_at: WallTime(0),
};

/// A peer's record of this dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct View {
    pub(super) record: HolderRecord,
    /// Heard since the boot, the last gap and the peer's last suspicion.
    pub(super) is_known: bool,
    /// The header of the last stream from this peer: newer word of its history than its record,
    /// if both speak of the same epoch.
    pub(super) header: Option<Box<(Epoch, Lineage)>>,
    /// What this start of the peer acknowledged to have received from here, in this node's present
    /// epoch: newer word of its copy than a record that was on its way meanwhile.
    pub(super) acknowledged: Option<Box<(BootId, Lineage)>>,
}

impl View {
    /// The newest history that the peer's copy is known to have; none if it has no copy.
    pub(super) fn copy(&self) -> Option<&Lineage> {
        let shown = self.record.has_copy.then_some(&self.record.lineage);
        match self.acknowledged.as_deref() {
            Some((boot, lineage))
                if *boot == self.record.boot && shown.is_none_or(|shown| shown.within(lineage)) =>
            {
                Some(lineage)
            }
            Some(_) | None => shown,
        }
    }

    /// The newest history that the peer, which serves, is known to have.
    pub(super) fn lineage(&self) -> &Lineage {
        self.newer(&self.record.lineage)
    }

    /// What the last stream from the peer said of its history, if that is newer than `shown`.
    pub(super) fn newer<'a>(&'a self, shown: &'a Lineage) -> &'a Lineage {
        match self.header.as_deref() {
            Some((epoch, lineage)) if *epoch == self.record.epoch && shown.within(lineage) => {
                lineage
            }
            Some(_) | None => shown,
        }
    }
}

impl Ownership {
    /// A peer shows this record.
    pub(super) fn hear_record(&mut self, from: NodeId, record: HolderRecord) {
        self.learned = self.learned.max(record.seen).max(record.epoch);
        self.is_deleted_elsewhere |= record.is_deleted;
        let view = self.view_of(from);
        view.record = record;
        view.is_known = true;
    }

    /// A stream from this peer was taken in: its header counts as the peer's newest word.
    pub(super) fn hear_header(&mut self, from: NodeId, epoch: Epoch, lineage: Lineage) {
        self.view_of(from).header = Some(Box::new((epoch, lineage)));
    }

    fn view_of(&mut self, node: NodeId) -> &mut View {
        self.views.or_insert_with(node, || View {
            record: NOTHING.clone(),
            is_known: false,
            header: None,
            acknowledged: None,
        })
    }

    /// The peers of which anything is remembered.
    pub(crate) fn viewed(&self) -> impl Iterator<Item = NodeId> {
        self.views.iter().map(|(node, _)| *node)
    }

    /// The peer was declared unreachable: what it showed is kept, but not judged by until its
    /// board is known to be complete again.
    pub(crate) fn forget_peer(&mut self, node: NodeId) {
        if let Some(view) = self.views.get_mut(&node) {
            view.is_known = false;
        }
    }

    /// The same for all peers, after a standstill.
    pub(super) fn forget_peers(&mut self) {
        for (_, view) in self.views.iter_mut() {
            view.is_known = false;
            view.header = None;
            view.acknowledged = None;
        }
    }

    /// All that the peer shows at this start of it was delivered: what was delivered before and has
    /// not changed counts again; a record of an earlier start of it is void.
    pub(crate) fn board_heard(&mut self, node: NodeId, boot: BootId) {
        let Some(view) = self.views.get_mut(&node) else {
            return;
        };
        if view.record.boot == boot {
            view.is_known = true;
        } else {
            self.views.remove(&node);
        }
    }

    /// What `node` shows, if that still counts.
    pub(crate) fn known<'a>(&'a self, node: NodeId, peers: &Peers) -> Option<&'a HolderRecord> {
        match self.views.get(&node) {
            Some(view) if view.is_known => Some(&view.record),
            Some(_) | None => peers.is_board_heard(node).then_some(&NOTHING),
        }
    }

    /// The known views that are more than "holds nothing".
    pub(super) fn known_views(&self) -> impl Iterator<Item = (NodeId, &View)> {
        self.views
            .iter()
            .filter(|(_, view)| view.is_known)
            .map(|(node, view)| (*node, view))
    }

    /// The other nodes that have a say: the members of the set, and whoever shows a copy or more.
    pub(super) fn other_holders(&self, me: NodeId) -> BTreeSet<NodeId> {
        let has_say = |view: &View| {
            view.record.has_copy
                || view.record.is_contending
                || view.record.state != HolderState::Replica
        };
        let outsiders = self
            .known_views()
            .filter(|(_, view)| has_say(view))
            .map(|(node, _)| node);
        let members = self.members().iter().copied();
        members
            .chain(outsiders)
            .filter(|node| *node != me)
            .collect()
    }

    /// The other holders that the failure detector calls alive, without those that it has called
    /// alive for long but whose records never came: they count as suspected.
    pub(super) fn reach(&self, context: &Context<'_>) -> BTreeSet<NodeId> {
        let mut reach = self.other_holders(context.me.node);
        reach.retain(|node| match context.peers.alive_since(*node) {
            None => false,
            Some(since) => {
                self.known(*node, context.peers).is_some() || context.now < mute_at(since, context)
            }
        });
        reach
    }

    /// When the next holder in reach will count as suspected because nothing was heard of it.
    pub(super) fn next_mute_at(&self, context: &Context<'_>) -> Option<Millis> {
        self.other_holders(context.me.node)
            .into_iter()
            .filter(|node| self.known(*node, context.peers).is_none())
            .filter_map(|node| context.peers.alive_since(node))
            .map(|since| mute_at(since, context))
            .filter(|at| *at > context.now)
            .min()
    }

    /// The nodes that should be shown this node's record.
    pub(crate) fn audience(&self, me: NodeId) -> BTreeSet<NodeId> {
        self.other_holders(me)
    }
}

fn mute_at(since: Millis, context: &Context<'_>) -> Millis {
    since.plus(context.timers.alone_ms)
}

/// Whether a record speaks of a node that serves, with its gate open or closed.
pub(super) fn is_serving(record: &HolderRecord) -> bool {
    matches!(record.state, HolderState::Live | HolderState::Draining)
}
