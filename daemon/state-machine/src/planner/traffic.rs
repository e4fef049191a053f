//! Moves in the whole cluster, this node's own among them: which are planned or under way, which
//! ended lately. From these every node counts budgets and cool-downs for itself, by its own clock.

use super::load::Share;
use super::{UnitKey, View};
use crate::event::PastMove;
use crate::facts::ClusterFacts;
use crate::time::Millis;
use hwc_api::ids::{DatasetId, MoveId, NodeId};
use hwc_api::moves::{MovePhase, MoveReason};
use hwc_api::time::WallTime;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The minute of "moves a minute". Also how long a move that ended still counts for the load of
/// both nodes: measured loads are averages over about as long.
pub(crate) const MEMORY_MS: u64 = 60_000;

/// What was taken off a node to spread load is not handed back to it within so many cool-downs: its
/// measured load may not be what it takes, and the same would happen again.
const RETURN_COOL_DOWNS: u64 = 6;

/// A move that is shown, or was until lately.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Shown {
    unit: UnitKey,
    to: NodeId,
    /// More than planned.
    is_begun: bool,
    /// When it was shown last as more than planned: an earlier move of the same counts on.
    begun_at: Option<Millis>,
    share: Share,
    is_present: bool,
    /// When it was shown last.
    last: Millis,
}

/// A move that ended with the dataset on its target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Past {
    unit: UnitKey,
    when: When,
    from: NodeId,
    to: NodeId,
    /// Why; unknown before its receipt is there.
    reason: Option<MoveReason>,
}

/// When a move ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum When {
    /// This node was there and saw it.
    Seen(Millis),
    /// Its receipt was there before this start of the node: by the clock of another one. Good
    /// enough for what a restart forgot.
    Wall(WallTime),
}

/// Now, by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) now: Millis,
    pub(crate) wall: WallTime,
}

/// All moves that still count.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Traffic {
    shown: BTreeMap<(NodeId, DatasetId), Shown>,
    past: BTreeMap<DatasetId, Past>,
    newest_receipt: Option<MoveId>,
}

impl Traffic {
    /// What the other nodes show now.
    pub(crate) fn hear_others(&mut self, facts: &ClusterFacts, view: View<'_>) {
        for ((from, _), shown) in &mut self.shown {
            shown.is_present &= *from == view.me;
        }
        for told in facts.moves.iter().filter(|told| told.from != view.me) {
            let source = facts.nodes.get(&told.from);
            let share = source.map_or_else(Share::default, |node| Share::of(&told.load, node));
            let key = (told.from, told.dataset);
            let unit = view.unit(told.dataset);
            let is_begun = told.phase != MovePhase::Planned;
            self.show(key, unit, told.to, is_begun, share, view.now);
        }
    }

    /// What this node shows itself: the whole of it.
    pub(crate) fn note_own(
        &mut self,
        own: impl Iterator<Item = (DatasetId, UnitKey, NodeId, bool, Share)>,
        view: View<'_>,
    ) {
        for ((from, _), shown) in &mut self.shown {
            shown.is_present &= *from != view.me;
        }
        for (dataset, unit, to, is_begun, share) in own {
            self.show((view.me, dataset), unit, to, is_begun, share, view.now);
        }
    }

    fn show(
        &mut self,
        key: (NodeId, DatasetId),
        unit: UnitKey,
        to: NodeId,
        is_begun: bool,
        share: Share,
        now: Millis,
    ) {
        let before = self.shown.get(&key).filter(|before| before.to == to);
        let begun_before = before.and_then(|before| before.begun_at);
        let shown = Shown {
            unit,
            to,
            is_begun,
            begun_at: is_begun.then_some(now).or(begun_before),
            share,
            is_present: true,
            last: now,
        };
        self.shown.insert(key, shown);
    }

    /// Receipts. Those that come while this node is there ended just now, by its clock.
    pub(crate) fn learn_past(&mut self, moves: &BTreeMap<MoveId, PastMove>, view: View<'_>) {
        let after = self.newest_receipt;
        for (_, receipt) in moves.iter().filter(|(id, _)| Some(**id) > after) {
            let when = if after.is_some() {
                When::Seen(view.now)
            } else {
                When::Wall(receipt.ended_at)
            };
            let past = Past {
                unit: view.unit(receipt.dataset),
                when,
                from: receipt.from,
                to: receipt.to,
                reason: Some(receipt.reason),
            };
            self.past.insert(receipt.dataset, past);
        }
        let newest = moves.keys().next_back().copied();
        // Where there is no receipt yet, the first one is seen all the same.
        self.newest_receipt = after.max(newest).or(Some(MoveId(0)));
    }

    /// A dataset went live on this node while another one was seen to move it here.
    pub(crate) fn note_arrival(&mut self, dataset: DatasetId, view: View<'_>) {
        let arrival = self
            .shown
            .iter()
            .find(|((_, moved), shown)| *moved == dataset && shown.to == view.me && shown.is_begun);
        let Some(((from, _), shown)) = arrival else {
            return;
        };
        let past = Past {
            unit: shown.unit,
            when: When::Seen(view.now),
            from: *from,
            to: view.me,
            reason: None,
        };
        self.past.insert(dataset, past);
    }

    /// This node stood still: what others showed is to be heard anew.
    pub(crate) fn forget_shown(&mut self) {
        self.shown.clear();
    }

    /// Forgets what counts for nothing any more.
    pub(crate) fn forget_old(&mut self, moment: Moment, cool_down_ms: u64) {
        let now = moment.now;
        self.shown
            .retain(|_, shown| shown.is_present || now < shown.last.plus(MEMORY_MS));
        for past in self.past.values_mut() {
            past.when = past.when.not_after(moment);
        }
        let longest = cool_down_ms
            .saturating_mul(RETURN_COOL_DOWNS)
            .max(MEMORY_MS);
        self.past.retain(|_, past| past.age_ms(moment) < longest);
    }

    /// Milliseconds since `dataset` was moved last, and why; `None` if that was never seen.
    pub(crate) fn last_move(
        &self,
        dataset: DatasetId,
        moment: Moment,
    ) -> Option<(u64, Option<MoveReason>)> {
        let past = self.past.get(&dataset)?;
        Some((past.age_ms(moment), past.reason))
    }

    /// The node that `dataset` was taken off to spread load, and to which it does not return yet.
    pub(crate) fn relieved(
        &self,
        dataset: DatasetId,
        moment: Moment,
        cool_down_ms: u64,
    ) -> Option<NodeId> {
        let past = self.past.get(&dataset)?;
        // Until the receipt is there: as if.
        let is_balance = past
            .reason
            .is_none_or(|reason| reason == MoveReason::Balance);
        let until_ms = cool_down_ms.saturating_mul(RETURN_COOL_DOWNS);
        (is_balance && past.age_ms(moment) < until_ms).then_some(past.from)
    }

    /// Whether another node than `me` moves something of `unit`; merely planned moves count unless
    /// `but_planned`.
    pub(crate) fn others_move(&self, unit: UnitKey, me: NodeId, but_planned: bool) -> bool {
        self.shown.iter().any(|((from, _), shown)| {
            let counts = shown.is_begun || !but_planned;
            *from != me && shown.unit == unit && shown.is_present && counts
        })
    }

    /// The units that are being moved, or were within the last minute.
    pub(crate) fn lately(&self, moment: Moment) -> BTreeSet<UnitKey> {
        let shown = self.shown.values();
        let shown = shown.filter(|shown| shown.was_begun_lately(moment));
        let past = self.past.values();
        shown
            .map(|shown| shown.unit)
            .chain(
                past.filter(|past| past.age_ms(moment) < MEMORY_MS)
                    .map(|past| past.unit),
            )
            .collect()
    }

    /// How many units `node` hands over, or did within the last minute.
    fn lately_from(&self, node: NodeId, moment: Moment) -> usize {
        let shown = self.shown.iter();
        let past = self.past.values();
        let units: BTreeSet<_> = shown
            .filter(|((from, _), shown)| *from == node && shown.was_begun_lately(moment))
            .map(|(_, shown)| shown.unit)
            .chain(
                past.filter(|past| past.from == node && past.age_ms(moment) < MEMORY_MS)
                    .map(|past| past.unit),
            )
            .collect();
        units.len()
    }

    /// Whether a plan of `other` goes before one of `node`: who has handed over least goes first,
    /// then the lower id. The same on both, once both see the same.
    fn goes_before(&self, other: NodeId, node: NodeId, moment: Moment) -> bool {
        (self.lately_from(other, moment), other) < (self.lately_from(node, moment), node)
    }

    /// The units that other nodes plan to move, and whose turn comes before `node`'s, with their
    /// targets.
    pub(crate) fn ahead_of(&self, node: NodeId, moment: Moment) -> BTreeSet<(UnitKey, NodeId)> {
        self.shown
            .iter()
            .filter(|((from, _), shown)| {
                shown.is_present
                    && !shown.is_begun
                    && *from != node
                    && self.goes_before(*from, node, moment)
            })
            .map(|(_, shown)| (shown.unit, shown.to))
            .collect()
    }

    /// The units under way to `node`.
    pub(crate) fn incoming(&self, node: NodeId) -> BTreeSet<UnitKey> {
        self.shown
            .values()
            .filter(|shown| shown.is_present && shown.is_begun && shown.to == node)
            .map(|shown| shown.unit)
            .collect()
    }

    /// What is on its way to `node`, or came lately and is not measured yet; without the moves of
    /// `except`, and without planned ones whose turn comes after `except`'s.
    pub(crate) fn arriving(&self, node: NodeId, except: NodeId, moment: Moment) -> Share {
        self.shown
            .iter()
            .filter(|((from, _), shown)| {
                let counts = shown.is_begun || self.goes_before(*from, except, moment);
                shown.to == node && *from != except && counts
            })
            .fold(Share::default(), |sum, (_, shown)| sum.and(shown.share))
    }

    /// The same for this node's own moves, planned ones too.
    pub(crate) fn arriving_from(&self, from: NodeId, node: NodeId, but: UnitKey) -> Share {
        self.shown
            .iter()
            .filter(|((source, _), shown)| *source == from && shown.to == node && shown.unit != but)
            .fold(Share::default(), |sum, (_, shown)| sum.and(shown.share))
    }

    /// Whether anything left `node`, or is about to, and may still be measured there.
    pub(crate) fn is_handing_over(&self, node: NodeId) -> bool {
        self.shown.keys().any(|(from, _)| *from == node)
    }
}

impl Shown {
    /// Under way, or it was within the last minute.
    fn was_begun_lately(&self, moment: Moment) -> bool {
        let is_recent = |at: Millis| moment.now < at.plus(MEMORY_MS);
        self.is_begun || self.begun_at.is_some_and(is_recent)
    }
}

impl When {
    /// What ended in the future ended now: some clock is wrong, and nothing may wait until another
    /// one is as late.
    fn not_after(self, moment: Moment) -> Self {
        match self {
            Self::Wall(at) if at > moment.wall => Self::Seen(moment.now),
            Self::Wall(_) | Self::Seen(_) => self,
        }
    }
}

impl Past {
    fn age_ms(&self, moment: Moment) -> u64 {
        match self.when {
            When::Seen(at) => moment.now.0.saturating_sub(at.0),
            When::Wall(at) => moment.wall.since_ms(at),
        }
    }
}
