//! T14: after a start or a standstill nothing that was promised or believed before counts.

use super::{Context, Ownership, Role, Stage};
use crate::action::Command;
use crate::bugs::Bug;
use crate::event::InventoryItem;
use hwc_api::ownership::{Epoch, Lineage};

impl Ownership {
    /// A dataset as it was found on disk. What is on disk beats the row: no filesystem, no copy;
    /// and no epoch on any label is above the highest seen.
    pub(crate) fn found_on_disk(item: InventoryItem) -> Self {
        let mut ownership = Self::default();
        let row = item.row.unwrap_or_default();
        ownership.row.ordered = row.clone();
        ownership.row.wanted = row;
        ownership.copy = item.lineage;
        ownership.head_taken_at = item.head_taken_at;
        for lineage in item.divergent {
            ownership.keep_divergent(lineage);
        }
        let labels = ownership.highest_label();
        ownership.see(ownership.seen());
        ownership.see(labels);
        ownership
    }

    /// This node stood still: what it served, it must stop serving before anything else.
    pub(crate) fn wake_up(&mut self, context: &mut Context<'_>) {
        if context.bugs.has(Bug::NoFenceOnGap) {
            return;
        }
        if let Role::Serving(_) = self.role {
            self.fence(false, context);
        }
        if let Role::Fencing(fencing) = &mut self.role {
            fencing.will_contend = false;
        }
        if let Role::Claiming(_) = self.role {
            self.role = Role::Replica;
        }
        self.is_contending = false;
        self.against = Epoch::NONE;
        self.forget_peers();
        self.grant = None;
        self.claimable_since = None;
        if let Some(incoming) = self
            .incoming
            .take_if(|incoming| incoming.stage != Stage::Committing)
        {
            context.order(Command::DiscardStream {
                stream: incoming.stream,
            });
        }
    }

    fn highest_label(&self) -> Epoch {
        let branches = self.copy.iter().chain(&self.divergent);
        branches
            .flat_map(Lineage::entries)
            .map(|entry| entry.epoch)
            .max()
            .unwrap_or_default()
    }
}
