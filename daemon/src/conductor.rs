//! The conductor: feeds the brain and carries out what it decides. No policy of its own.
//!
//! One task owns the brain and the picture of the cluster. Everything that happens reaches it as an
//! [`input::Input`]; each input is a fact, given to [`hwc_state_machine::StateMachine::step`]
//! with the time; each action is carried out by [`hands`]: at once where it only shows or asks
//! something, in a queue per dataset where it takes time. The task never waits for anything but the
//! next input, so its own pauses are the node's: one longer than [`FREEZE_LIMIT`] closes all gates
//! before anything else happens.
//!
//! - [`input`]: what can happen.
//! - [`hands`]: carries out actions. [`worker`]: the queue of one dataset.
//! - [`keys`]: what is shown on the board, under which keys.
//! - [`pushes`]: divergent copies on their way to another node.
//! - [`streams`]: offers of incoming streams that wait for the brain's word.
//! - [`facts`]: the cluster as the brain is told it.
//! - [`moves`]: the moves that leave this node; [`receipts`]: what is kept of them.
//! - [`freshness`]: how far the copies of live datasets lag.
//! - [`reconcile`]: keeps YakD at work; [`report`]: tells what this node is like.
//! - [`hosts`]: host names that are held back until the web server has read of them.

pub mod facts;
pub mod freshness;
pub mod gate;
pub mod hands;
pub mod hosts;
pub mod input;
pub mod keys;
pub mod moves;
pub mod pushes;
pub mod receipts;
pub mod reconcile;
pub mod report;
pub mod run;
pub mod streams;
pub mod worker;

use hwc_group::profile::Profile;
use std::time::Duration;

/// A pause of the conductor longer than this is a freeze on a LAN: shorter than the failure detector
/// takes to declare a silent node dead, so an unnoticed pause can't have been taken over. On a WAN
/// it may be longer ([`crate::network::freeze_limit`]); the front doors stop after this anyway.
pub const FREEZE_LIMIT: Duration = Profile::Lan.timing().freeze_limit;
/// The conductor's own heartbeat: the front doors serve only while it is felt.
pub const PULSE: Duration = Duration::from_millis(100);
