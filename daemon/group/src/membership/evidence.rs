//! One verdict about each node, out of three kinds of evidence. Pure: time comes in as an argument.
//!
//! - SWIM hears through others and judges silence.
//! - Whatever comes from a node itself, a datagram or a frame on its board's stream, proves that it
//!   lives: nobody is declared silent who was heard within `declare_after`. That is longer than the
//!   pause after which a node fences itself, so that an unnoticed pause was not taken over.
//! - When its stream is gone and the kernel *refuses* a new one, the daemon has ended: a machine that
//!   is merely slow, frozen or cut off does not refuse. Three refusals over 600 ms are believed (a
//!   listener that is just being opened again is not mistaken for a death), and every start of a
//!   daemon fences before it serves, so that a daemon that comes back a moment later does no harm.
//!
//! | refused | SWIM says | heard last | verdict |
//! |---|---|---|---|
//! | 3 times | up with a newer start, or up after down | whenever | up |
//! | 3 times | anything else | whenever | down |
//! | less | up | whenever | up |
//! | less | suspect | within `suspect_after` / before | up / suspect |
//! | less | down | within `declare_after` / before | as before / down |
//! | less | down, and the node said so itself | whenever | down |
//! | less | down | on its stream, after it was declared | up |
//! | less | nothing | on its stream, within `declare_after` / before | up / down |
//!
//! A newer start is told as down and up again: whoever followed the old life must notice its end.

use super::{MembershipEvent, Standing};
use crate::identity::Start;
use hwc_api::ids::NodeId;
use hwc_api::v1::NodeHealth;
use hwc_runtime::clock::Moment;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// So many refusals...
const REFUSALS: u32 = 3;
/// ...over so long mean that the daemon has ended.
const REFUSALS_SPAN: Duration = Duration::from_millis(600);

/// Something that was noticed about a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// SWIM: it is a member.
    SwimUp(Start),
    /// SWIM: it does not answer.
    SwimSuspect,
    /// SWIM: it answers after all.
    SwimTrusted,
    /// SWIM: it is down.
    SwimDown,
    /// It said itself that it leaves.
    Goodbye,
    /// A datagram of it came.
    Datagram,
    /// Its board stream has come.
    Connected(Start),
    /// A frame came on its board stream.
    Heard,
    /// Its board stream has ended or fallen silent.
    Disconnected,
    /// The kernel refused a connection to it.
    Refused,
    /// It accepted a connection.
    Reached,
    /// It left the roster.
    Removed,
}

/// Why a node is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownReason {
    /// It does not answer, or has said good-bye.
    Silent,
    /// Its daemon has ended: connections are refused.
    Refused,
    /// Its daemon was started anew; the next event says up.
    Restarted,
    /// It was removed from the cluster.
    Removed,
}

/// What is known about all other nodes.
#[derive(Debug)]
pub struct Evidence {
    declare_after: Duration,
    suspect_after: Duration,
    nodes: BTreeMap<NodeId, Node>,
    /// Whose verdict changes by time alone, and when.
    pending: BTreeSet<(Moment, NodeId)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Node {
    swim: Swim,
    stream: Option<Start>,
    /// When anything of it came last.
    heard: Option<Moment>,
    /// A frame came on its stream since SWIM spoke of its end.
    has_shown: bool,
    refusals: Option<Refusals>,
    /// The life that ended with refusals.
    ended: Option<Start>,
    newest: Option<Start>,
    told: Verdict,
    /// Where it stands in `pending`.
    again: Option<Moment>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Swim {
    #[default]
    Unknown,
    Up(Start),
    Suspect(Start),
    Down,
    Left,
}

#[derive(Debug, Clone, Copy)]
struct Refusals {
    first: Moment,
    count: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Verdict {
    #[default]
    Unknown,
    Up(Start),
    Suspect(Start),
    Down(DownReason),
}

impl Evidence {
    /// Knows nobody yet. Nobody is declared silent who was heard within `declare_after`, nor shown
    /// as suspect who was heard within `suspect_after`.
    #[must_use]
    pub const fn new(declare_after: Duration, suspect_after: Duration) -> Self {
        Self {
            declare_after,
            suspect_after,
            nodes: BTreeMap::new(),
            pending: BTreeSet::new(),
        }
    }

    /// Takes one sign; says what changed.
    pub fn observe(&mut self, node: NodeId, sign: Sign, now: Moment) -> Vec<MembershipEvent> {
        if sign == Sign::Removed {
            return self.remove(node);
        }
        self.nodes.entry(node).or_default().take(sign, now);
        self.judge(node, now)
    }

    /// Judges those anew whose time has come.
    pub fn tick(&mut self, now: Moment) -> Vec<MembershipEvent> {
        let mut events = Vec::new();
        while let Some((at, node)) = self.pending.first().copied() {
            if at > now {
                break;
            }
            self.pending.remove(&(at, node));
            events.extend(self.judge(node, now));
        }
        events
    }

    /// When [`Evidence::tick`] has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        self.pending.first().map(|(at, _node)| *at)
    }

    /// When a node was heard last, by whatever way.
    #[must_use]
    pub fn heard(&self, node: NodeId) -> Option<Moment> {
        self.nodes.get(&node)?.heard
    }

    /// This node stood still for so long: the others' silence in that time does not count. After a
    /// long pause nobody's earlier silence does: everybody gets the whole time anew.
    pub fn stood_still(&mut self, now: Moment, length: Duration) {
        let was_long = length >= self.declare_after / 2;
        self.pending.clear();
        for (node, known) in &mut self.nodes {
            known.heard = known.heard.map(|heard| {
                let heard = heard.plus(length);
                if was_long { heard.max(now) } else { heard }
            });
            known.again = known.again.map(|again| again.plus(length));
            self.pending.extend(known.again.map(|again| (again, *node)));
        }
    }

    fn judge(&mut self, node: NodeId, now: Moment) -> Vec<MembershipEvent> {
        let patience = (self.declare_after, self.suspect_after);
        let Some(known) = self.nodes.get_mut(&node) else {
            return Vec::new();
        };
        if let Some(again) = known.again.take() {
            self.pending.remove(&(again, node));
        }
        let before = known.told;
        let (verdict, again) = known.verdict(now, patience);
        known.told = verdict;
        known.again = again.filter(|again| *again > now);
        self.pending.extend(known.again.map(|again| (again, node)));
        changes(node, before, verdict)
    }

    /// As if every node that is up had just come up: for a new subscriber.
    #[must_use]
    pub fn present(&self) -> Vec<MembershipEvent> {
        self.nodes
            .iter()
            .flat_map(|(node, known)| changes(*node, Verdict::Unknown, known.told))
            .collect()
    }

    /// How all known nodes stand.
    #[must_use]
    pub fn standings(&self) -> BTreeMap<NodeId, Standing> {
        self.nodes
            .iter()
            .map(|(node, known)| (*node, known.standing()))
            .collect()
    }

    /// How one node stands.
    #[must_use]
    pub fn standing(&self, node: NodeId) -> Option<Standing> {
        self.nodes.get(&node).map(Node::standing)
    }

    fn remove(&mut self, node: NodeId) -> Vec<MembershipEvent> {
        let Some(known) = self.nodes.remove(&node) else {
            return Vec::new();
        };
        if let Some(again) = known.again {
            self.pending.remove(&(again, node));
        }
        changes(node, known.told, Verdict::Down(DownReason::Removed))
    }
}

impl Node {
    fn take(&mut self, sign: Sign, now: Moment) {
        match sign {
            Sign::SwimUp(start) => {
                let was_down = matches!(self.swim, Swim::Down | Swim::Left);
                if was_down || Some(start) > self.ended {
                    self.forget_refusals();
                }
                self.swim = Swim::Up(start);
                self.newest = self.newest.max(Some(start));
            }
            Sign::SwimSuspect => {
                if let Swim::Up(start) = self.swim {
                    self.swim = Swim::Suspect(start);
                }
            }
            Sign::SwimTrusted => {
                if let Swim::Suspect(start) = self.swim {
                    self.swim = Swim::Up(start);
                }
            }
            Sign::SwimDown => {
                if self.swim != Swim::Left {
                    self.swim = Swim::Down;
                }
                self.has_shown = false;
            }
            Sign::Goodbye => self.swim = Swim::Left,
            Sign::Datagram => self.heard = Some(now),
            Sign::Heard => {
                self.heard = Some(now);
                self.has_shown = self.stream.is_some();
            }
            Sign::Connected(start) => {
                if self.swim == Swim::Left {
                    self.swim = Swim::Unknown;
                }
                self.stream = Some(start);
                self.newest = self.newest.max(Some(start));
                self.heard = Some(now);
                self.has_shown = true;
                self.forget_refusals();
            }
            Sign::Disconnected => {
                self.stream = None;
                self.has_shown = false;
            }
            Sign::Refused => self.count_refusal(now),
            Sign::Reached => self.refusals = None,
            Sign::Removed => {}
        }
    }

    fn forget_refusals(&mut self) {
        self.refusals = None;
        self.ended = None;
    }

    fn count_refusal(&mut self, now: Moment) {
        if self.stream.is_some() {
            return;
        }
        let refusals = self.refusals.get_or_insert(Refusals {
            first: now,
            count: 0,
        });
        refusals.count = refusals.count.saturating_add(1);
        if refusals.count >= REFUSALS && now.since(refusals.first) >= REFUSALS_SPAN {
            self.ended = self.newest.or(self.ended);
        }
    }

    /// The verdict, and when it changes by time alone.
    fn verdict(&self, now: Moment, patience: (Duration, Duration)) -> (Verdict, Option<Moment>) {
        let (declare_after, suspect_after) = patience;
        let until = |after| {
            let until = self.heard.map(|heard| heard.plus(after));
            until.filter(|until| *until > now)
        };
        let start = self.newest.unwrap_or_default();
        // Up while it was heard a moment ago, suspect after that.
        let doubted = || match until(suspect_after) {
            Some(again) => (Verdict::Up(start), Some(again)),
            None => (Verdict::Suspect(start), until(declare_after)),
        };
        if self.ended.is_some() {
            return (Verdict::Down(DownReason::Refused), None);
        }
        let is_told_up = matches!(self.told, Verdict::Up(_) | Verdict::Suspect(_));
        match self.swim {
            Swim::Up(_) => (Verdict::Up(start), None),
            Swim::Suspect(_) => doubted(),
            Swim::Left => (self.down(), None),
            Swim::Down | Swim::Unknown if until(declare_after).is_none() => (self.down(), None),
            Swim::Down if is_told_up || self.has_shown => doubted(),
            Swim::Down => (self.down(), None),
            Swim::Unknown if self.stream.is_some() => (Verdict::Up(start), until(declare_after)),
            // Known by its stream only, and that has ended.
            Swim::Unknown if is_told_up => doubted(),
            Swim::Unknown => (self.told, None),
        }
    }

    /// Down for the reason that was told already, or silent; unless it was never up.
    const fn down(&self) -> Verdict {
        match self.told {
            Verdict::Up(_) | Verdict::Suspect(_) => Verdict::Down(DownReason::Silent),
            Verdict::Unknown | Verdict::Down(_) => self.told,
        }
    }

    fn standing(&self) -> Standing {
        let health = match self.told {
            Verdict::Up(_) => NodeHealth::Up,
            Verdict::Suspect(_) => NodeHealth::Suspect,
            Verdict::Unknown | Verdict::Down(_) => NodeHealth::Down,
        };
        Standing {
            health,
            start: self.newest,
        }
    }
}

/// What to tell, from one verdict to the next.
fn changes(node: NodeId, before: Verdict, after: Verdict) -> Vec<MembershipEvent> {
    let up = |start| MembershipEvent::Up { node, start };
    let down = |reason| MembershipEvent::Down { node, reason };
    let suspect = MembershipEvent::Suspect { node };
    let restarted = || down(DownReason::Restarted);
    match (before, after) {
        (Verdict::Unknown | Verdict::Down(_), Verdict::Up(start)) => vec![up(start)],
        (Verdict::Unknown | Verdict::Down(_), Verdict::Suspect(start)) => vec![up(start), suspect],
        (Verdict::Up(old) | Verdict::Suspect(old), Verdict::Up(new)) if old != new => {
            vec![restarted(), up(new)]
        }
        (Verdict::Up(old) | Verdict::Suspect(old), Verdict::Suspect(new)) if old != new => {
            vec![restarted(), up(new), suspect]
        }
        (Verdict::Up(_), Verdict::Suspect(_)) => vec![suspect],
        (Verdict::Suspect(_), Verdict::Up(_)) => vec![MembershipEvent::Trusted { node }],
        (Verdict::Up(_) | Verdict::Suspect(_), Verdict::Down(reason)) => vec![down(reason)],
        (Verdict::Up(_), Verdict::Up(_))
        | (Verdict::Suspect(_), Verdict::Suspect(_))
        | (Verdict::Unknown | Verdict::Down(_), Verdict::Down(_))
        | (_, Verdict::Unknown) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::ids::BootId;
    use proptest::prelude::*;

    const NODE: NodeId = NodeId(2);

    fn life(number: u64) -> Start {
        Start {
            number,
            boot: BootId(number as u32),
        }
    }

    fn up(number: u64) -> MembershipEvent {
        MembershipEvent::Up {
            node: NODE,
            start: life(number),
        }
    }

    fn down(reason: DownReason) -> MembershipEvent {
        MembershipEvent::Down { node: NODE, reason }
    }

    /// Signs with their moments (ms), and what is told in the end.
    fn check(signs: &[(u64, Sign)], told: &[MembershipEvent]) {
        let mut evidence = evidence();
        let mut events = Vec::new();
        for (at, sign) in signs {
            while let Some(due) = evidence.next_deadline().filter(|due| *due <= Moment(*at)) {
                events.extend(evidence.tick(due));
            }
            events.extend(evidence.observe(NODE, *sign, Moment(*at)));
        }
        while let Some(due) = evidence.next_deadline() {
            events.extend(evidence.tick(due));
        }
        assert_eq!(events, told, "{signs:?}");
    }

    fn evidence() -> Evidence {
        Evidence::new(Duration::from_millis(1_750), Duration::from_millis(900))
    }

    #[test]
    fn a_refusing_node_is_down_before_swim_notices() {
        check(
            &[
                (0, Sign::SwimUp(life(1))),
                (10, Sign::Connected(life(1))),
                (1_000, Sign::Disconnected),
                (1_001, Sign::Refused),
                (1_300, Sign::Refused),
                (1_500, Sign::Refused),
                (1_601, Sign::Refused),
                (1_900, Sign::Refused),
                (4_000, Sign::SwimDown),
            ],
            &[up(1), down(DownReason::Refused)],
        );
    }

    #[test]
    fn refusals_that_end_in_time_are_forgotten() {
        check(
            &[
                (0, Sign::SwimUp(life(1))),
                (0, Sign::Refused),
                (300, Sign::Refused),
                (500, Sign::Reached),
                (700, Sign::Refused),
                (900, Sign::Refused),
                (1_200, Sign::Refused),
            ],
            &[up(1)],
        );
    }

    #[test]
    fn many_quick_refusals_are_not_enough() {
        let mut signs = vec![(0, Sign::SwimUp(life(1)))];
        signs.extend((0..50).map(|n| (n, Sign::Refused)));
        check(&signs, &[up(1)]);
    }

    #[test]
    fn a_refused_node_comes_back_with_its_stream_or_a_newer_life() {
        let death = [
            (0, Sign::SwimUp(life(1))),
            (0, Sign::Refused),
            (400, Sign::Refused),
            (800, Sign::Refused),
        ];
        let and = |more: &[(u64, Sign)]| [&death[..], more].concat();
        let gone = down(DownReason::Refused);
        check(&and(&[(900, Sign::SwimUp(life(1)))]), &[up(1), gone]);
        check(&and(&[(900, Sign::SwimUp(life(2)))]), &[up(1), gone, up(2)]);
        check(
            &and(&[(900, Sign::Connected(life(1)))]),
            &[up(1), gone, up(1)],
        );
        check(
            &and(&[(900, Sign::SwimDown), (950, Sign::SwimUp(life(1)))]),
            &[up(1), gone, up(1)],
        );
    }

    #[test]
    fn a_live_stream_outweighs_lost_datagrams() {
        let signs = [
            (0, Sign::Connected(life(1))),
            (1, Sign::SwimUp(life(1))),
            (1_700, Sign::SwimSuspect),
            (1_701, Sign::SwimDown),
            (1_702, Sign::Heard),
            (3_000, Sign::Heard),
            (4_600, Sign::SwimUp(life(1))),
        ];
        let suspect = MembershipEvent::Suspect { node: NODE };
        let trusted = MembershipEvent::Trusted { node: NODE };
        // Nobody heard it for more than 0.9 seconds, three times; never for more than 1.75.
        let told = [up(1), suspect, trusted, suspect, trusted, suspect, trusted];
        check(&signs, &told);
    }

    #[test]
    fn nobody_is_declared_silent_who_was_just_heard() {
        let suspect = MembershipEvent::Suspect { node: NODE };
        for last in [Sign::Datagram, Sign::Heard] {
            let signs = [
                (0, Sign::SwimUp(life(1))),
                (1_000, last),
                (1_100, Sign::SwimSuspect),
                (1_200, Sign::SwimDown),
                (2_749, Sign::Refused),
                (2_750, Sign::Refused),
            ];
            check(&signs, &[up(1), suspect, down(DownReason::Silent)]);
            let (head, _declared) = signs.split_at(5);
            let mut evidence = evidence();
            for (at, sign) in head {
                evidence.tick(Moment(*at));
                evidence.observe(NODE, *sign, Moment(*at));
            }
            assert_eq!(
                evidence.standing(NODE).map(|s| s.health),
                Some(NodeHealth::Suspect)
            );
        }
    }

    #[test]
    fn who_says_good_bye_is_down_at_once_until_it_comes_again() {
        check(
            &[
                (0, Sign::SwimUp(life(1))),
                (10, Sign::Connected(life(1))),
                (100, Sign::Goodbye),
                (110, Sign::Heard),
                (120, Sign::Disconnected),
                (130, Sign::SwimDown),
                (900, Sign::Connected(life(2))),
                (910, Sign::SwimUp(life(2))),
            ],
            &[up(1), down(DownReason::Silent), up(2)],
        );
    }

    #[test]
    fn a_stream_that_carries_frames_brings_a_node_back() {
        check(
            &[
                (0, Sign::SwimUp(life(1))),
                (0, Sign::Connected(life(1))),
                (1_800, Sign::SwimDown),
                (5_000, Sign::Heard),
                (5_100, Sign::SwimUp(life(1))),
            ],
            &[up(1), down(DownReason::Silent), up(1)],
        );
    }

    #[test]
    fn the_silence_of_a_pause_of_our_own_does_not_count() {
        let mut evidence = evidence();
        evidence.observe(NODE, Sign::SwimUp(life(1)), Moment(0));
        evidence.observe(NODE, Sign::Datagram, Moment(1_000));
        evidence.observe(NODE, Sign::SwimDown, Moment(1_100));
        evidence.stood_still(Moment(6_150), Duration::from_secs(5));
        assert!(evidence.tick(Moment(6_200)).is_empty());
        evidence.observe(NODE, Sign::Datagram, Moment(6_210));
        evidence.observe(NODE, Sign::SwimUp(life(1)), Moment(6_300));
        assert!(evidence.tick(Moment(60_000)).is_empty());
    }

    #[test]
    fn a_silent_node_is_suspect_then_down() {
        check(
            &[
                (0, Sign::Connected(life(1))),
                (0, Sign::SwimUp(life(1))),
                (2_000, Sign::Disconnected),
                (2_100, Sign::SwimSuspect),
                (2_200, Sign::SwimTrusted),
                (2_300, Sign::SwimSuspect),
                (4_300, Sign::SwimDown),
            ],
            &[
                up(1),
                MembershipEvent::Suspect { node: NODE },
                MembershipEvent::Trusted { node: NODE },
                MembershipEvent::Suspect { node: NODE },
                down(DownReason::Silent),
            ],
        );
    }

    #[test]
    fn a_restart_is_told_once_whoever_notices_first() {
        let again = [up(1), down(DownReason::Restarted), up(2)];
        check(
            &[
                (0, Sign::SwimUp(life(1))),
                (5, Sign::SwimUp(life(2))),
                (6, Sign::Connected(life(2))),
            ],
            &again,
        );
        check(
            &[
                (0, Sign::SwimUp(life(1))),
                (1, Sign::Connected(life(1))),
                (5, Sign::Connected(life(2))),
                (6, Sign::SwimUp(life(2))),
            ],
            &again,
        );
    }

    #[test]
    fn a_node_that_was_never_up_is_not_told_down() {
        check(
            &[
                (0, Sign::Refused),
                (500, Sign::Refused),
                (900, Sign::Refused),
                (950, Sign::SwimDown),
                (999, Sign::Removed),
            ],
            &[],
        );
    }

    #[test]
    fn a_removed_node_is_down_and_forgotten() {
        let mut evidence = evidence();
        evidence.observe(NODE, Sign::SwimUp(life(1)), Moment(0));
        assert_eq!(evidence.present(), [up(1)]);
        let told = evidence.observe(NODE, Sign::Removed, Moment(1));
        assert_eq!(told, [down(DownReason::Removed)]);
        assert_eq!(evidence.standing(NODE), None);
    }

    fn any_sign() -> impl Strategy<Value = Sign> {
        prop_oneof![
            (0u64..4).prop_map(|n| Sign::SwimUp(life(n))),
            (0u64..4).prop_map(|n| Sign::Connected(life(n))),
            Just(Sign::SwimSuspect),
            Just(Sign::SwimTrusted),
            Just(Sign::SwimDown),
            Just(Sign::Goodbye),
            Just(Sign::Datagram),
            Just(Sign::Heard),
            Just(Sign::Disconnected),
            Just(Sign::Refused),
            Just(Sign::Reached),
            Just(Sign::Removed),
        ]
    }

    proptest! {
        /// Whatever happens, the story that is told makes sense: up and down alternate, suspicion
        /// is only of those who are up, and the story ends where the verdict is.
        #[test]
        fn the_story_makes_sense(signs in proptest::collection::vec((0u64..400, any_sign()), 0..60)) {
            let mut evidence = evidence();
            let (mut now, mut is_up, mut is_suspect) = (0, false, false);
            for (later, sign) in signs {
                now += later;
                let mut events = evidence.tick(Moment(now));
                events.extend(evidence.observe(NODE, sign, Moment(now)));
                for event in events {
                    match event {
                        MembershipEvent::Up { .. } => {
                            prop_assert!(!is_up);
                            (is_up, is_suspect) = (true, false);
                        }
                        MembershipEvent::Suspect { .. } => {
                            prop_assert!(is_up && !is_suspect);
                            is_suspect = true;
                        }
                        MembershipEvent::Trusted { .. } => {
                            prop_assert!(is_up && is_suspect);
                            is_suspect = false;
                        }
                        MembershipEvent::Down { .. } => {
                            prop_assert!(is_up);
                            is_up = false;
                        }
                    }
                }
                let health = evidence.standing(NODE).map_or(NodeHealth::Down, |s| s.health);
                let told = match (is_up, is_suspect) {
                    (false, _) => NodeHealth::Down,
                    (true, false) => NodeHealth::Up,
                    (true, true) => NodeHealth::Suspect,
                };
                prop_assert_eq!(health, told);
            }
        }
    }
}
