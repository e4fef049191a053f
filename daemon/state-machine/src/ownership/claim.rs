//! T1 to T3: the round, the one way to become live. And T13's end: a promotion is a claim that
//! needs nobody's answer.

use super::judgement::Verdict;
use super::view::is_serving;
use super::{Backoff, Claim, Context, Ownership, Role, Service};
use crate::action::{Alarm, Command};
use crate::bugs::Bug;
use crate::small_map::SmallMap;
use crate::time::Millis;
use hwc_api::ids::NodeId;
use hwc_api::ownership::{Epoch, HolderState, Speaker};
use std::collections::BTreeSet;

impl Ownership {
    /// T1: claim the next epoch, if this node's branch is best and its turn has come.
    pub(super) fn claim(&mut self, context: &mut Context<'_>) -> bool {
        if self.role != Role::Replica || self.operation.is_some() || !self.is_durable() {
            return false;
        }
        let verdict = self.judge(context, &BTreeSet::new());
        let Verdict::Best { rank, yields } = verdict else {
            self.claimable_since = None;
            if let Some(at) = self.next_mute_at(context) {
                self.wake(context, at);
            }
            return false;
        };
        if self.is_claim_under_way(context) {
            self.claimable_since = None;
            return false;
        }
        let since = *self.claimable_since.get_or_insert(context.now);
        let mut delay = u64::from(rank).saturating_mul(context.timers.rank_delay_ms);
        if yields {
            // Time for the other one to claim, and to come to its end.
            delay = delay.saturating_add(context.timers.ask_ms.saturating_mul(2));
        }
        let due = since
            .plus(delay)
            .max(self.backoff.until)
            .max(self.target_first_until(context))
            .max(self.heard_enough_at(context));
        if due > context.now {
            self.wake(context, due);
            return false;
        }
        self.start_claim(false, context);
        true
    }

    /// Persisting the epoch comes first; it is shown only then.
    pub(super) fn start_claim(&mut self, is_promoted: bool, context: &Context<'_>) {
        let epoch = Epoch {
            counter: self.seen().counter + 1,
            node: context.me.node,
            boot: context.me.boot,
        };
        self.see(epoch);
        self.claimable_since = None;
        self.role = Role::Claiming(Box::new(Claim {
            epoch,
            is_promoted,
            asked_at: None,
            silent: BTreeSet::new(),
        }));
    }

    /// T2: all in reach have shown the epoch and the judgement still stands on their final heads.
    /// T3: it doesn't, or too long has passed.
    pub(super) fn continue_claim(&mut self, context: &mut Context<'_>) -> bool {
        if !self.is_durable() {
            return false;
        }
        let Role::Claiming(claim) = &mut self.role else {
            return false;
        };
        let asked_at = *claim.asked_at.get_or_insert(context.now);
        let (epoch, is_promoted) = (claim.epoch, claim.is_promoted);
        let mut silent = claim.silent.clone();
        if is_promoted {
            let heard = if context.bugs.has(Bug::PromotionCountsAsRound) {
                self.heard_in_round(&silent, context)
            } else {
                vec![context.me]
            };
            self.go_live(epoch, heard, context);
            return true;
        }
        let ask_until = asked_at.plus(context.timers.ask_ms);
        if context.now >= ask_until {
            silent.extend(self.unanswered(epoch, context));
        }
        let is_judged_again = !context.bugs.has(Bug::JudgedOnce);
        if is_judged_again && self.judge(context, &silent) == Verdict::NotNow {
            self.give_up(context);
            return true;
        }
        let waits = self
            .unanswered(epoch, context)
            .iter()
            .any(|node| !silent.contains(node));
        if waits && !context.bugs.has(Bug::NoRound) {
            self.wake(context, ask_until);
            return false;
        }
        let heard = self.heard_in_round(&silent, context);
        self.go_live(epoch, heard, context);
        true
    }

    /// The holders in reach that have not shown `epoch` yet. (One that serves makes the judgement
    /// fall; it is never counted as silent.)
    fn unanswered(&self, epoch: Epoch, context: &Context<'_>) -> BTreeSet<NodeId> {
        let mut nodes = self.reach(context);
        nodes.retain(|node| {
            self.known(*node, context.peers)
                .is_none_or(|record| record.seen != epoch && !is_serving(record))
        });
        nodes
    }

    fn heard_in_round(&self, silent: &BTreeSet<NodeId>, context: &Context<'_>) -> Vec<Speaker> {
        let others = self.reach(context).into_iter();
        let mut heard: Vec<_> = others
            .filter(|node| !silent.contains(node))
            .filter_map(|node| {
                let boot = self.known(node, context.peers)?.boot;
                Some(Speaker { node, boot })
            })
            .collect();
        heard.push(context.me);
        heard.sort_unstable();
        heard
    }

    fn go_live(&mut self, epoch: Epoch, heard: Vec<Speaker>, context: &mut Context<'_>) {
        if self.copy.is_none() && !self.divergent.is_empty() {
            // The judgement never allows it; serving an empty dataset would look like its loss.
            debug_assert!(false, "about to serve nothing");
            context.order(Command::Alarm {
                alarm: Alarm::NothingToServe,
            });
            self.give_up(context);
            return;
        }
        self.role = Role::Serving(Box::new(Service {
            epoch,
            heard,
            is_open: false,
            moving: None,
            granted: SmallMap::default(),
            transfers: SmallMap::default(),
        }));
        self.is_contending = false;
        self.against = Epoch::NONE;
        self.backoff = Backoff::default();
        self.handed_to = None;
        self.sent.clear();
        for (_, view) in self.views.iter_mut() {
            view.acknowledged = None;
        }
        context.order(Command::Open {
            epoch,
            from: self.copy.as_ref().and_then(|lineage| lineage.head()),
        });
    }

    /// T3. A contender stays one.
    fn give_up(&mut self, context: &Context<'_>) {
        self.role = Role::Replica;
        self.back_off(context);
    }

    /// Keep quiet for a while, longer each time: damps a node that fails again and again.
    pub(super) fn back_off(&mut self, context: &Context<'_>) {
        let timers = context.timers;
        let forget_at = self.backoff.last.plus(timers.backoff_forget_ms);
        if context.now >= forget_at {
            self.backoff.given_up = 0;
        }
        let doublings = self.backoff.given_up.min(16);
        let pause = timers
            .backoff_first_ms
            .saturating_mul(1 << doublings)
            .min(timers.backoff_longest_ms);
        self.backoff = Backoff {
            given_up: self.backoff.given_up.saturating_add(1),
            last: context.now,
            until: context.now.plus(pause),
        };
        self.claimable_since = None;
    }

    fn is_claim_under_way(&self, context: &Context<'_>) -> bool {
        self.reach(context)
            .into_iter()
            .filter_map(|node| self.known(node, context.peers))
            .any(|record| record.state == HolderState::Claiming && record.epoch >= self.seen())
    }

    /// When this node has listened long enough after its boot or a gap: at once if all other
    /// holders are there, late if not one of them was ever met.
    fn heard_enough_at(&self, context: &Context<'_>) -> Millis {
        let others = self.other_holders(context.me.node);
        let reach = self.reach(context);
        let is_there =
            |node: &NodeId| reach.contains(node) && self.known(*node, context.peers).is_some();
        let since = context.listening_since;
        if others.is_empty() {
            since.plus(context.timers.hear_ms)
        } else if others.iter().all(is_there) {
            since
        } else if others.iter().any(|node| context.peers.was_met(*node)) {
            since.plus(context.timers.hear_ms)
        } else {
            since.plus(context.timers.alone_ms)
        }
    }
}
