//! What the cluster has told of since a connection began. A page may show what was gone before the
//! connection was open, and nobody tells of that again.

use hwc_api::ids::{AccountId, DatasetId, NodeId, SiteId};
use hwc_api::v1::Event;
use std::collections::BTreeSet;

/// What was told of, by id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InSight {
    pub(super) sites: BTreeSet<SiteId>,
    pub(super) moves: BTreeSet<DatasetId>,
    pub(super) drains: BTreeSet<NodeId>,
    pub(super) accounts: BTreeSet<AccountId>,
}

impl InSight {
    /// Takes note of an event. Answers whether everything in sight has been told.
    pub fn note(&mut self, event: &Event) -> bool {
        match event {
            Event::Site(site) => self.sites.insert(site.id),
            Event::SiteGone(site) => self.sites.remove(site),
            Event::Move(view) => self.moves.insert(view.of.dataset),
            Event::MoveGone(dataset) => self.moves.remove(dataset),
            Event::Drain(drain) => self.drains.insert(drain.node.id),
            Event::DrainGone(node) => self.drains.remove(node),
            Event::Account(account) => self.accounts.insert(account.id),
            Event::AccountGone(account) => self.accounts.remove(account),
            Event::Job(_)
            | Event::Node(_)
            | Event::MoveEnded(_)
            | Event::Settings { .. }
            | Event::SignedOut => false,
            Event::Whole => return true,
        };
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_and_not_taken_back_is_in_sight_once_all_is_told() {
        let mut told = InSight::default();
        let event =
            |json: serde_json::Value| -> Event { serde_json::from_value(json).expect("an event") };
        let node = serde_json::json!({"id": 1, "name": "n1"});
        let moving = |dataset: u32| {
            event(serde_json::json!({"event": "move", "data": {
                "move": {
                    "dataset": dataset, "from": 1, "to": 1, "reason": "drain", "phase": "copying",
                    "started_at": 0, "due_at": null, "rounds": 0, "sent_bytes": 0, "behind_bytes": 0,
                    "gate_closed_at": null,
                },
                "site": null, "title": "a.example", "from": node, "to": node,
            }}))
        };
        assert!(!told.note(&moving(1)));
        assert!(!told.note(&moving(2)));
        assert!(!told.note(&Event::MoveGone(DatasetId(1))));
        assert!(told.note(&event(serde_json::json!({"event": "whole"}))));
        let expected = InSight {
            moves: [DatasetId(2)].into(),
            ..InSight::default()
        };
        assert_eq!(told, expected);
    }
}
