//! Moves: asking for one, watching it, its receipt; drains; why a site is where it is.

use super::{JobView, NodeRef, Nothing, SiteView, call_with_body, call_without_body};
use crate::balancing::Balancing;
use crate::desired::Drain;
use crate::explanation::Explanation;
use crate::ids::{NodeId, SiteId};
use crate::moves::{MoveProgress, MoveReceipt};
use crate::time::WallTime;
use serde::{Deserialize, Serialize};

/// `POST /sites/{id}/move`: move a site and its databases (administrators). Answered with the job
/// that does it.
#[derive(Debug, Clone)]
pub struct MoveSite {
    /// Which.
    pub site: SiteId,
    /// What is sent.
    pub body: MoveSiteBody,
}
call_with_body!(MoveSite, Post, MoveSiteBody, JobView, |call| format!(
    "/sites/{}/move",
    call.site
));

/// Where a site goes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoveSiteBody {
    /// The node; the fittest one if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
}

/// `DELETE /sites/{id}/move`: call off what has not been handed over yet, planned moves included
/// (administrators).
#[derive(Debug, Clone, Copy)]
pub struct CallOffMove {
    /// Which site.
    pub site: SiteId,
}
call_without_body!(CallOffMove, Delete, Nothing, |call| format!(
    "/sites/{}/move",
    call.site
));

/// `PUT /sites/{id}/pin`: pin a site to a node, or let it go (administrators).
#[derive(Debug, Clone)]
pub struct PinSite {
    /// Which.
    pub site: SiteId,
    /// What is sent.
    pub body: PinSiteBody,
}
call_with_body!(PinSite, Put, PinSiteBody, SiteView, |call| format!(
    "/sites/{}/pin",
    call.site
));

/// Where a site is to stay.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinSiteBody {
    /// The node; none to let it go.
    pub node: Option<NodeId>,
}

/// `PUT /sites/{id}/hold`: keep a site from being moved to spread load (administrators). Vetoes a
/// planned move of it as well.
#[derive(Debug, Clone)]
pub struct HoldSite {
    /// Which.
    pub site: SiteId,
    /// What is sent.
    pub body: HoldSiteBody,
}
call_with_body!(HoldSite, Put, HoldSiteBody, SiteView, |call| format!(
    "/sites/{}/hold",
    call.site
));

/// How long a site stays.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldSiteBody {
    /// Minutes from now, at most a year; 0 to let it go.
    pub minutes: u32,
}

/// `GET /sites/{id}/explanation`: why it is where it is. Customers see it without candidates and
/// loads.
#[derive(Debug, Clone, Copy)]
pub struct ExplainSite {
    /// Which.
    pub site: SiteId,
}
call_without_body!(ExplainSite, Get, Explanation, |call| format!(
    "/sites/{}/explanation",
    call.site
));

/// `GET /sites/{id}/moves`: its moves, under way and ended.
#[derive(Debug, Clone, Copy)]
pub struct ListSiteMoves {
    /// Which.
    pub site: SiteId,
}
call_without_body!(ListSiteMoves, Get, MovesView, |call| format!(
    "/sites/{}/moves",
    call.site
));

/// `GET /moves`: all moves, under way and ended (administrators).
#[derive(Debug, Clone, Copy)]
pub struct ListMoves;
call_without_body!(ListMoves, Get, MovesView, |_call| "/moves".to_owned());

/// Moves.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MovesView {
    /// Planned and under way, the oldest first.
    pub under_way: Vec<MoveView<MoveProgress>>,
    /// Receipts, the newest first.
    pub ended: Vec<MoveView<MoveReceipt>>,
}

/// A move with the names that people know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveView<T> {
    /// The move.
    #[serde(rename = "move")]
    pub of: T,
    /// The site that it is about, or whose database moves; it may be gone.
    pub site: Option<SiteId>,
    /// The main domain, or the database's name.
    pub title: String,
    /// The node that it leaves.
    pub from: NodeRef,
    /// Where it goes.
    pub to: NodeRef,
}

/// `POST /nodes/{id}/drain`: empty a node (administrators).
#[derive(Debug, Clone)]
pub struct DrainNode {
    /// Which.
    pub node: NodeId,
    /// What is sent.
    pub body: DrainNodeBody,
}
call_with_body!(DrainNode, Post, DrainNodeBody, DrainView, |call| format!(
    "/nodes/{}/drain",
    call.node
));

/// How a node is emptied. A drain that goes on keeps what is not given.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrainNodeBody {
    /// What it is for; nothing in particular where it was never given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether datasets may be left with fewer copies than they should have; refused otherwise, and
    /// where it was never given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_lack_copies: Option<bool>,
}

/// `GET /nodes/{id}/drain` (administrators).
#[derive(Debug, Clone, Copy)]
pub struct ReadDrain {
    /// Which node.
    pub node: NodeId,
}
call_without_body!(ReadDrain, Get, DrainView, |call| format!(
    "/nodes/{}/drain",
    call.node
));

/// `DELETE /nodes/{id}/drain`: put a node back to use (administrators).
#[derive(Debug, Clone, Copy)]
pub struct UndrainNode {
    /// Which.
    pub node: NodeId,
}
call_without_body!(UndrainNode, Delete, Nothing, |call| format!(
    "/nodes/{}/drain",
    call.node
));

/// How far a drain is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainView {
    /// The node.
    pub node: NodeRef,
    /// Who asked, when, what for.
    pub drain: Drain,
    /// The name of who asked; `root` where that was done on a node without an account.
    pub by_name: String,
    /// Datasets that left it alive since the drain began.
    pub moved: u32,
    /// Datasets that are still live on it.
    pub live_left: u32,
    /// Copies that it still holds and that are needed until others have been made.
    pub copies_left: u32,
    /// Bytes in them.
    pub copies_left_bytes: u64,
    /// Datasets that have fewer whole copies on other nodes than they should.
    pub lacking_copies: u32,
    /// All datasets of the cluster, counted by their whole copies on those other nodes that take
    /// datasets and answer, the live one included; most copies first.
    #[serde(default)]
    pub copies: Vec<CopiesCount>,
    /// Whether nothing needs it any more.
    pub is_done: bool,
    /// Requests and connections that waited because of it, in called-off moves too.
    pub held: u32,
    /// The longest wait, milliseconds.
    pub longest_wait_ms: u32,
    /// Requests and connections that failed because of it.
    pub failed: u32,
    /// Milliseconds until nothing is live on it any more, at the pace so far; 0 when it is done,
    /// none while it is only waited for copies.
    pub remaining_ms: Option<u64>,
    /// When that is over, by the clock of the node that answers; none where it is not known, and
    /// when it is done.
    #[serde(default)]
    pub done_at: Option<WallTime>,
}

/// How many datasets have so many whole copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiesCount {
    /// Whole copies.
    pub copies: u32,
    /// Datasets that have so many.
    pub datasets: u32,
}

/// `GET /balancing`: how load is spread (administrators).
#[derive(Debug, Clone, Copy)]
pub struct ReadBalancing;
call_without_body!(ReadBalancing, Get, Balancing, |_call| "/balancing"
    .to_owned());

/// `PUT /balancing`: change how load is spread (administrators).
#[derive(Debug, Clone)]
pub struct SetBalancing {
    /// What is sent.
    pub body: Balancing,
}
call_with_body!(SetBalancing, Put, Balancing, Balancing, |_call| {
    "/balancing".to_owned()
});
