//! The keys with which the nodes seal their datagrams.

use super::{NodeRef, call_without_body};
use serde::{Deserialize, Serialize};

/// `GET /cluster/keys`: who has the newest key (administrators).
#[derive(Debug, Clone, Copy)]
pub struct ReadKeys;
call_without_body!(ReadKeys, Get, KeysView, |_call| "/cluster/keys".to_owned());

/// `POST /cluster/keys`: replace the key (administrators). Nothing is interrupted: for a while both
/// keys are good.
#[derive(Debug, Clone, Copy)]
pub struct RotateKeys;
call_without_body!(RotateKeys, Post, KeysView, |_call| "/cluster/keys"
    .to_owned());

/// The keys as the asked node sees them; never a key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysView {
    /// Counts the keys that the cluster has had; the asked node's newest.
    pub generation: u64,
    /// Where the key was just replaced: milliseconds after which the old one opens nothing any more.
    pub old_ends_after_ms: Option<u64>,
    /// All nodes.
    pub nodes: Vec<NodeKeyView>,
    /// Whether every node has it. One that is away gets it when it returns.
    pub is_everywhere: bool,
}

/// Which key a node has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeKeyView {
    /// The node.
    pub node: NodeRef,
    /// How it stands.
    pub state: NodeKeyState,
}

/// Which key a node has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeKeyState {
    /// The newest that the asked node knows.
    Newest,
    /// Another one; they are comparing them.
    Other,
    /// The asked node does not hear it.
    Unheard,
}
