//! How patient the room is: every timer of membership and of the board, in one table per network.
//!
//! The rules between them, checked by a test:
//! - A silent node is declared down later than the pause after which it would fence itself
//!   (`declare_after` > `freeze_limit`): whoever did not notice its own pause was not taken over.
//! - Signs of life come several times before silence is judged, so that lost ones do no harm.
//! - Suspicion ends before `declare_after`, so that it is the silence that decides.
//!
//! | | LAN | WAN |
//! |---|---|---|
//! | a member is asked every / answers within | 300 ms / 100 ms | 1.5 s / 500 ms |
//! | a suspect may object for | 800 ms | 6 s |
//! | silent for so long before it is declared down | 1.9 s | 10 s |
//! | a node's own pause that makes it fence | 1.5 s | 4 s |
//! | sign of life on a board's stream | 250 ms | 2 s |
//! | changes of a board travel together | 20 ms | 200 ms |
//! | digests | 5 s | 20 s |
//! | a stream is opened within (TCP, then TLS) | 1 s, 2 s | 4 s, 6 s |
//! | a stream's data may be unacknowledged for | 5 s | 12 s |

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The kind of network between the nodes; one for the whole cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Milliseconds between any two nodes: one site, or sites of one town.
    #[default]
    Lan,
    /// Up to a few hundred milliseconds, and lines that stop for seconds.
    Wan,
}

impl Profile {
    /// Its timers.
    #[must_use]
    pub const fn timing(self) -> Timing {
        match self {
            Self::Lan => LAN,
            Self::Wan => WAN,
        }
    }
}

/// All timers of the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Who is up.
    pub membership: MembershipTiming,
    /// The state exchange.
    pub board: BoardTiming,
    /// The streams themselves.
    pub streams: StreamTiming,
    /// For so long both keys of sealed datagrams open, after a rotation.
    pub key_overlap: Duration,
    /// A pause of the whole node longer than this is a freeze, after which it fences itself: always
    /// shorter than `membership.declare_after`. For the conductor and the front doors.
    pub freeze_limit: Duration,
}

/// The timers of membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MembershipTiming {
    /// Every so often one member is asked whether it is there.
    pub probe_period: Duration,
    /// Without an answer for so long, three others are asked to ask.
    pub probe_rtt: Duration,
    /// A suspect has so long to object; times log10 of the number of nodes, from 10 on.
    pub suspicion: Duration,
    /// Changes are spread this often; nothing is sent when nothing changed.
    pub gossip_every: Duration,
    /// Members are asked for members they know and we don't.
    pub announce_every: Duration,
    /// Down members are asked whether they are back: the end of a netsplit is noticed by this.
    pub announce_to_down_every: Duration,
    /// Nobody is declared down who was heard, by datagram or on a stream, within this time.
    pub declare_after: Duration,
    /// Who was heard within this time is not even shown as suspect.
    pub suspect_after: Duration,
    /// Between two rounds of knocking at nodes that are listed and not members, at first...
    pub knock_first: Duration,
    /// ...and at most, after doubling.
    pub knock_max: Duration,
}

/// The timers of the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoardTiming {
    /// Changes within this time travel together.
    pub batch: Duration,
    /// A sign of life at least this often, both ways; larger in large clusters, see
    /// [`BoardTiming::heartbeat_among`].
    pub heartbeat: Duration,
    /// So many signs of life may be missing before a stream is given up.
    pub heartbeats_missed: u32,
    /// How often a reader says what it has.
    pub digest_every: Duration,
    /// The other side takes a frame within this time, or stands still.
    pub send_timeout: Duration,
    /// Between two dials, for the first [`BoardTiming::redials_soon`]: three refusals in a row tell
    /// that the daemon has ended.
    pub redial_soon: Duration,
    /// So many dials come soon.
    pub redials_soon: u32,
    /// Later ones are this far apart at most.
    pub redial_max: Duration,
    /// A stream that stood for less counts as a failed dial.
    pub stood: Duration,
    /// A node that was not run for so long begins new streams, so that "we have everything" is said
    /// anew: what waits in the old ones may be as old as that.
    pub standstill: Duration,
}

impl BoardTiming {
    /// The pause between signs of life among so many nodes: in a full mesh their number grows with
    /// the square, so that they become rarer, and datagrams alone tell who is up.
    #[must_use]
    pub fn heartbeat_among(&self, nodes: usize) -> Duration {
        let nodes = u32::try_from(nodes).unwrap_or(u32::MAX);
        self.heartbeat.max(HEARTBEAT_PER_NODE.saturating_mul(nodes))
    }
}

/// The timers of the streams between nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamTiming {
    /// A kernel answers within a round trip; one lost SYN costs a second.
    pub connect: Duration,
    /// From there to the welcome: three round trips, and the other daemon may be busy.
    pub handshake: Duration,
    /// Who dialled has so long to prove who it is: longer than it takes its own patience for it.
    pub admission: Duration,
    /// Unacknowledged data for this long means that the other machine is gone: long enough for a
    /// lost packet or two, short against what a visitor waits.
    pub unacknowledged: Duration,
}

/// A node gives at most four hundred signs of life a second.
const HEARTBEAT_PER_NODE: Duration = Duration::from_millis(5);

const LAN: Timing = Timing {
    membership: MembershipTiming {
        probe_period: Duration::from_millis(300),
        probe_rtt: Duration::from_millis(100),
        suspicion: Duration::from_millis(800),
        gossip_every: Duration::from_millis(100),
        announce_every: Duration::from_secs(30),
        announce_to_down_every: Duration::from_secs(2),
        declare_after: Duration::from_millis(1_900),
        suspect_after: Duration::from_millis(900),
        knock_first: Duration::from_millis(500),
        knock_max: Duration::from_secs(10),
    },
    board: BoardTiming {
        batch: Duration::from_millis(20),
        heartbeat: Duration::from_millis(250),
        heartbeats_missed: 8,
        digest_every: Duration::from_secs(5),
        send_timeout: Duration::from_secs(5),
        redial_soon: Duration::from_millis(200),
        redials_soon: 6,
        redial_max: Duration::from_secs(2),
        stood: Duration::from_secs(1),
        standstill: Duration::from_millis(1_200),
    },
    streams: StreamTiming {
        connect: Duration::from_secs(1),
        handshake: Duration::from_secs(2),
        admission: Duration::from_secs(5),
        unacknowledged: Duration::from_secs(5),
    },
    key_overlap: Duration::from_secs(10),
    freeze_limit: Duration::from_millis(1_500),
};

const WAN: Timing = Timing {
    membership: MembershipTiming {
        probe_period: Duration::from_millis(1_500),
        probe_rtt: Duration::from_millis(500),
        suspicion: Duration::from_secs(6),
        gossip_every: Duration::from_millis(400),
        announce_every: Duration::from_secs(60),
        announce_to_down_every: Duration::from_secs(10),
        declare_after: Duration::from_secs(10),
        suspect_after: Duration::from_secs(4),
        knock_first: Duration::from_secs(1),
        knock_max: Duration::from_secs(30),
    },
    board: BoardTiming {
        batch: Duration::from_millis(200),
        heartbeat: Duration::from_secs(2),
        heartbeats_missed: 5,
        digest_every: Duration::from_secs(20),
        send_timeout: Duration::from_secs(15),
        redial_soon: Duration::from_millis(500),
        redials_soon: 6,
        redial_max: Duration::from_secs(10),
        stood: Duration::from_secs(3),
        standstill: Duration::from_secs(3),
    },
    streams: StreamTiming {
        connect: Duration::from_secs(4),
        handshake: Duration::from_secs(6),
        admission: Duration::from_secs(12),
        unacknowledged: Duration::from_secs(12),
    },
    key_overlap: Duration::from_secs(60),
    freeze_limit: Duration::from_secs(4),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timers_agree_with_each_other() {
        for profile in [Profile::Lan, Profile::Wan] {
            let Timing {
                membership,
                board,
                streams,
                freeze_limit,
                ..
            } = profile.timing();
            // A pause up to the limit was not taken over, even when the last sign of life came a
            // heartbeat before it and was late.
            assert!(membership.declare_after > freeze_limit + board.heartbeat * 3 / 2);
            assert!(membership.suspect_after < membership.declare_after);
            assert!(membership.probe_rtt * 3 <= membership.probe_period);
            assert!(membership.suspicion + membership.probe_period * 2 < membership.declare_after);
            assert!(board.heartbeat * 3 < membership.declare_after);
            assert!(board.heartbeat * board.heartbeats_missed > freeze_limit);
            assert!(board.standstill < freeze_limit && board.standstill > board.heartbeat);
            // Whoever is dialled is not given up while the dialler still tries.
            assert!(streams.admission > streams.handshake);
            // A machine that is gone is known to be down before its streams have to find out.
            assert!(streams.unacknowledged > membership.declare_after);
        }
    }

    #[test]
    fn signs_of_life_do_not_flood_large_clusters() {
        let timing = Profile::Lan.timing().board;
        assert_eq!(timing.heartbeat_among(3), timing.heartbeat);
        assert_eq!(timing.heartbeat_among(1_000), Duration::from_secs(5));
    }
}
