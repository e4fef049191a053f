//! Anchors: for each other holder the newest snapshot that both are known to have. Without it the
//! other could never be brought up to date by increments again, so it is never pruned.

use super::{Context, Ownership, Role, place_in};
use hwc_api::ids::NodeId;
use hwc_api::ownership::SnapshotId;
use std::collections::BTreeMap;

impl Ownership {
    /// Moves anchors forward with what the others show; an anchor that is no longer part of this
    /// history (it was wound back) gives way to an older one.
    pub(super) fn move_anchors(&mut self, context: &Context<'_>) {
        let Some(copy) = &self.copy else {
            self.row.wanted.anchors.clear();
            return;
        };
        let mut anchors = self.row.wanted.anchors.clone();
        anchors.retain(|node, anchor| {
            let may_come_back = self.is_member(*node)
                || self
                    .known(*node, context.peers)
                    .is_none_or(|record| record.has_copy);
            may_come_back && copy.contains(*anchor)
        });
        for (node, view) in self.views.iter() {
            let theirs = view.copy().map(|shown| view.newer(shown));
            let Some(common) = theirs.and_then(|theirs| copy.newest_common(theirs)) else {
                continue;
            };
            let place = place_in(copy, common);
            let is_newer = anchors
                .get(node)
                .is_none_or(|anchor| place_in(copy, *anchor) < place);
            if is_newer {
                anchors.insert(*node, common);
            }
        }
        self.row.wanted.anchors = anchors;
    }

    /// What must be kept: the anchors as they are, and as a crash would bring them back; and what is
    /// being sent, which the next increment builds upon: the first copy of a large dataset takes
    /// longer than many snapshots, and without it would be followed by another whole one, for ever.
    pub(super) fn to_retain(&self) -> Vec<SnapshotId> {
        let on_disk: &BTreeMap<NodeId, SnapshotId> = &self.row.ordered.anchors;
        let sending = match &self.role {
            Role::Serving(service) => Some(service.transfers.iter().map(|(_, transfer)| transfer)),
            Role::Replica | Role::Claiming(_) | Role::Fencing(_) => None,
        };
        let sending = sending.into_iter().flatten();
        let sending = sending.flat_map(|transfer| transfer.offered.iter().copied());
        let mut snapshots: Vec<_> = self
            .row
            .wanted
            .anchors
            .values()
            .chain(on_disk.values())
            .copied()
            .chain(sending)
            .collect();
        snapshots.sort_unstable();
        snapshots.dedup();
        snapshots
    }
}
