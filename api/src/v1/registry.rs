//! The registry itself: who keeps it, whether it can be changed, how to go on without a majority.

use super::{NodeRef, call_with_body, call_without_body};
use crate::ids::NodeId;
use crate::observed::RegistryStanding;
use serde::{Deserialize, Serialize};

/// `GET /registry`: who keeps the settings (administrators).
#[derive(Debug, Clone, Copy)]
pub struct ReadRegistry;
call_without_body!(ReadRegistry, Get, RegistryView, |_call| "/registry"
    .to_owned());

/// The registry as the asked node sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryView {
    /// Whether settings can be changed.
    pub is_writable: bool,
    /// The node that orders the changes.
    pub leader: Option<NodeRef>,
    /// Whose word counts: a majority of them must have a change on disk.
    pub voters: Vec<NodeRef>,
    /// Those that follow without a vote.
    pub learners: Vec<NodeRef>,
    /// The voters that are out of reach.
    pub out_of_reach: Vec<NodeRef>,
    /// The voters that hold no datasets and vote only.
    #[serde(default)]
    pub witnesses: Vec<NodeRef>,
    /// Whether the asked node may take part in keeping the settings.
    #[serde(default)]
    pub standing: RegistryStanding,
    /// Why settings can't be changed; none while they can.
    #[serde(default)]
    pub obstacle: Option<WriteObstacle>,
    /// Index of the newest applied change here.
    pub index: u64,
}

/// Why settings can't be changed through a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WriteObstacle {
    /// The asked node has lost settings that it had acknowledged.
    LostSettings,
    /// The settings hold what the asked node is too old to understand.
    Outdated,
    /// Too few voters are in its reach.
    NoMajority {
        /// So many are.
        in_reach: u16,
        /// So many are needed.
        needed: u16,
    },
    /// Enough voters are in reach, and they have not chosen a leader yet: a matter of seconds.
    NoLeader,
}

/// `POST /registry/declare-lost`: go on without nodes that are gone for good, when most voters are
/// among them (administrators). What only they had acknowledged is lost; they can never return.
#[derive(Debug, Clone)]
pub struct DeclareLost {
    /// What is sent.
    pub body: DeclareLostBody,
}
call_with_body!(
    DeclareLost,
    Post,
    DeclareLostBody,
    DeclareLostView,
    |_call| String::from("/registry/declare-lost")
);

/// Which nodes are gone.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclareLostBody {
    /// The nodes.
    pub nodes: Vec<NodeId>,
    /// Whether to do it; otherwise only what it would mean is answered.
    #[serde(default)]
    pub is_confirmed: bool,
}

/// What declaring nodes lost means, or meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclareLostView {
    /// The nodes that are given up.
    pub lost: Vec<NodeRef>,
    /// The voters that remain.
    pub voters: Vec<NodeRef>,
    /// Index of the newest change that is known to the remaining nodes.
    pub index: u64,
    /// Sites of which no other node holds a copy: they are lost with the nodes.
    pub sites_without_copy: Vec<String>,
    /// Whether it was done.
    pub is_done: bool,
}
