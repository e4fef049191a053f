//! One verdict about each node, out of two kinds of evidence. Pure: time comes in as an argument.
//!
//! SWIM hears through others and judges silence; it needs seconds. The board's streams know more
//! about two cases, at once:
//! - A stream that carries heartbeats proves that the node lives, whatever becomes of datagrams.
//! - When the stream is gone and the kernel *refuses* a new one, the daemon has ended: a machine that
//!   is merely slow, frozen or cut off does not refuse. Three refusals over 600 ms are believed (a
//!   listener that is just being opened again is not mistaken for a death), and every start of a
//!   daemon fences before it serves, so that a daemon that comes back a moment later does no harm.
//!
//! | stream | refused | SWIM says | verdict |
//! |---|---|---|---|
//! | alive | – | anything | up |
//! | gone | 3 times | up with a newer start, or up after down | up |
//! | gone | 3 times | anything else | down |
//! | gone | less | up / suspect / down, nothing | the same |
//!
//! A newer start is told as down and up again: whoever followed the old life must notice its end.

use super::{MembershipEvent, Standing};
use crate::identity::Start;
use hwc_api::ids::NodeId;
use hwc_api::v1::NodeHealth;
use hwc_runtime::clock::Moment;
use std::collections::BTreeMap;
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
    /// SWIM: it is down, or has said good-bye.
    SwimDown,
    /// Its board stream has come and carries heartbeats.
    Connected(Start),
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
#[derive(Debug, Default)]
pub struct Evidence {
    nodes: BTreeMap<NodeId, Node>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Node {
    swim: Swim,
    stream: Option<Start>,
    refusals: Option<Refusals>,
    /// The life that ended with refusals.
    ended: Option<Start>,
    newest: Option<Start>,
    told: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Swim {
    #[default]
    Unknown,
    Up(Start),
    Suspect(Start),
    Down,
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
    /// Takes one sign; says what changed.
    pub fn observe(&mut self, node: NodeId, sign: Sign, now: Moment) -> Vec<MembershipEvent> {
        if sign == Sign::Removed {
            return self.remove(node);
        }
        let known = self.nodes.entry(node).or_default();
        known.take(sign, now);
        let before = known.told;
        known.told = known.verdict();
        changes(node, before, known.told)
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
        changes(node, known.told, Verdict::Down(DownReason::Removed))
    }
}

impl Node {
    fn take(&mut self, sign: Sign, now: Moment) {
        match sign {
            Sign::SwimUp(start) => {
                let is_news = self.swim == Swim::Down || Some(start) > self.ended;
                if is_news {
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
            Sign::SwimDown => self.swim = Swim::Down,
            Sign::Connected(start) => {
                self.stream = Some(start);
                self.newest = self.newest.max(Some(start));
                self.forget_refusals();
            }
            Sign::Disconnected => self.stream = None,
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

    fn verdict(&self) -> Verdict {
        // The later of the two lives: the streams and SWIM learn of a new one at different moments.
        let newest = |start: Start| self.newest.unwrap_or(start);
        if let Some(start) = self.stream {
            return Verdict::Up(newest(start));
        }
        if self.ended.is_some() {
            return Verdict::Down(DownReason::Refused);
        }
        match (self.swim, self.told) {
            (Swim::Up(start), _) => Verdict::Up(newest(start)),
            (Swim::Suspect(start), _) => Verdict::Suspect(newest(start)),
            (Swim::Down, Verdict::Down(reason)) => Verdict::Down(reason),
            (Swim::Down, _) => Verdict::Down(DownReason::Silent),
            // Known by its stream only, and that has ended.
            (Swim::Unknown, Verdict::Up(_) | Verdict::Suspect(_)) => {
                Verdict::Down(DownReason::Silent)
            }
            (Swim::Unknown, Verdict::Unknown | Verdict::Down(_)) => self.told,
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
        let mut evidence = Evidence::default();
        let events: Vec<_> = signs
            .iter()
            .flat_map(|(at, sign)| evidence.observe(NODE, *sign, Moment(*at)))
            .collect();
        assert_eq!(events, told, "{signs:?}");
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
        check(
            &[
                (0, Sign::Connected(life(1))),
                (1, Sign::SwimUp(life(1))),
                (2, Sign::SwimSuspect),
                (3, Sign::SwimDown),
                (4, Sign::Disconnected),
            ],
            &[up(1), down(DownReason::Silent)],
        );
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
        let mut evidence = Evidence::default();
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
            let mut evidence = Evidence::default();
            let (mut now, mut is_up, mut is_suspect) = (0, false, false);
            for (later, sign) in signs {
                now += later;
                for event in evidence.observe(NODE, sign, Moment(now)) {
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
