//! The kind of network that this daemon was started for, and what follows from it.
//!
//! The settings name it; a daemon reads it once, before the settings themselves can be reached: it
//! is kept in a file beside them, written at the founding, at joining, and after each change. So a
//! change is followed from the next start on, and nodes with different kinds live side by side while
//! they are restarted one after the other ([`freeze_limit`] sees to it that this is safe).
//!
//! Every room has a table of its times for each kind: [`profile`], [`timers`], [`registry`],
//! [`doors`]; what the conductors ask each other has [`answer_limit`].

use crate::conductor::FREEZE_LIMIT;
use anyhow::Context;
use hwc_api::network::Network;
use hwc_awesome_proxy::Limits;
use hwc_group::profile::Profile;
use hwc_registry::Timing;
use hwc_runtime::files::{FileMode, write_atomically};
use hwc_state_machine::Timers;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The kind that was kept; a LAN where none was, as with the versions before.
///
/// # Errors
/// When the file can't be read or understood.
pub fn load(state: &Path) -> anyhow::Result<Network> {
    let path = path(state);
    match std::fs::read(&path) {
        Ok(json) => {
            serde_json::from_slice(&json).with_context(|| format!("understand {}", path.display()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Network::default()),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}

/// Keeps the kind for the next start.
///
/// # Errors
/// When it can't be written.
pub fn keep(state: &Path, network: Network) -> io::Result<()> {
    let json = serde_json::to_vec(&network)?;
    write_atomically(&path(state), &json, FileMode::SECRET)
}

fn path(state: &Path) -> PathBuf {
    state.join("network.json")
}

/// How patient the group is.
#[must_use]
pub const fn profile(network: Network) -> Profile {
    match network {
        Network::Lan => Profile::Lan,
        Network::Wan => Profile::Wan,
    }
}

/// What a profile is for.
#[must_use]
pub const fn of_profile(profile: Profile) -> Network {
    match profile {
        Profile::Lan => Network::Lan,
        Profile::Wan => Network::Wan,
    }
}

/// The brain's waiting times.
#[must_use]
pub const fn timers(network: Network) -> Timers {
    match network {
        Network::Lan => Timers::lan(),
        Network::Wan => Timers::wan(),
    }
}

/// The registry's times.
#[must_use]
pub const fn registry(network: Network) -> Timing {
    match network {
        Network::Lan => Timing::lan(),
        Network::Wan => Timing::wan(),
    }
}

/// The bounds of the front doors: visitors wait for longer than a failover takes.
#[must_use]
pub fn doors(network: Network) -> Limits {
    let near = Limits {
        gate_lease: Some(FREEZE_LIMIT),
        ..Limits::default()
    };
    match network {
        Network::Lan => near,
        Network::Wan => Limits {
            wait: Duration::from_secs(30),
            ..near
        },
    }
}

/// How long another node may take to answer a small question: a dial, a round trip, and a lost
/// packet.
#[must_use]
pub const fn answer_limit(network: Network) -> Duration {
    match network {
        Network::Lan => Duration::from_secs(2),
        Network::Wan => Duration::from_secs(8),
    }
}

/// How long this node may stand still before it must fence itself: shorter than any other node takes
/// to declare it dead. So it is the LAN's while one of the others was started for a LAN, or has not
/// told yet.
pub fn freeze_limit(own: Network, mut others: impl Iterator<Item = Option<Network>>) -> Duration {
    let strictest = if others.all(|other| other == Some(Network::Wan)) {
        own
    } else {
        Network::Lan
    };
    profile(strictest).timing().freeze_limit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_is_kept_for_the_next_start() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(load(folder.path()).expect("no file"), Network::Lan);
        keep(folder.path(), Network::Wan).expect("written");
        assert_eq!(load(folder.path()).expect("a file"), Network::Wan);
        std::fs::write(path(folder.path()), "\"ethernet\"").expect("written");
        let error = format!("{:#}", load(folder.path()).expect_err("no kind"));
        assert!(error.contains("network.json"), "{error}");
    }

    #[test]
    fn a_node_is_as_strict_with_itself_as_the_strictest_of_the_others() {
        use Network::{Lan, Wan};
        let check = |own, others: &[Option<Network>], expected_ms| {
            let limit = freeze_limit(own, others.iter().copied());
            assert_eq!(
                limit,
                Duration::from_millis(expected_ms),
                "{own:?} {others:?}"
            );
        };
        check(Wan, &[], 4_000);
        check(Wan, &[Some(Wan), Some(Wan)], 4_000);
        check(Wan, &[Some(Wan), Some(Lan)], 1_500);
        check(Wan, &[Some(Wan), None], 1_500);
        check(Lan, &[Some(Wan), Some(Wan)], 1_500);
        check(Lan, &[], 1_500);
    }

    #[test]
    fn the_brain_waits_longer_than_the_group_takes_to_spread_word() {
        for network in [Network::Lan, Network::Wan] {
            let (timers, timing) = (timers(network), profile(network).timing());
            let ms = |duration: Duration| u64::try_from(duration.as_millis()).expect("small");
            // The first in the ranking is seen before the second begins.
            assert!(timers.rank_delay_ms > ms(timing.board.batch));
            // Who begins anew hears everybody once, and who is alone waits out a slow declaration.
            assert!(timers.hear_ms > ms(timing.board.batch + timing.board.heartbeat));
            assert!(timers.alone_ms > ms(timing.membership.declare_after));
            assert!(timers.hear_ms > ms(timing.freeze_limit));
            // A silent holder is waited for about as long as a silent node is before it is dead.
            assert!(timers.ask_ms > ms(timing.freeze_limit));
            // A closed gate opens again before a visitor's patience ends, and after a round trip.
            assert!(timers.drain_ms > timers.ask_ms);
            // Visitors wait until a copy has taken over: its live node is declared dead, a round is
            // held, and the closed gate of a move that is called off opens again.
            let wait = doors(network).wait;
            assert!(ms(wait) > ms(timing.membership.declare_after) + timers.ask_ms);
            assert!(ms(wait) > timers.drain_ms);
            // Who answers slowly is not given up before a stream to it could be opened.
            let stream = timing.streams.connect + timing.streams.handshake;
            assert!(registry(network).call > stream);
            assert!(answer_limit(network) >= timing.streams.handshake);
        }
    }
}
