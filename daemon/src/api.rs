//! The public API of every node: `/api/v1`, JSON, and the WebSocket `/events`.
//!
//! A request passes, in this order: size limit, [`identity`] (who asks), [`access`] (the one
//! function that says whether they may), the endpoint. [`endpoints`] is the whole list; an
//! endpoint that names no action does not compile. What is not known here may be known on the node
//! that the visitor asked a moment ago: it is looked up again before that is said.
//!
//! Two Unix sockets lead here. `api.sock` is for the front door and the panel: nobody is signed in
//! without a token. `control.sock` belongs to root alone: who connects there is root on this node,
//! and administrator.

pub mod access;
pub mod attempts;
pub mod endpoints;
pub mod events;
pub mod identity;
mod news;
pub mod refusal;
pub mod server;

use crate::install::InstallJobs;
use crate::journals::Journals;
use crate::moves::Moves;
use crate::password::Passwords;
use crate::picture::Picture;
use crate::session::SessionSeal;
use crate::view::Scene;
use access::{Action, Actor, Object, can};
use attempts::Attempts;
use hwc_api::desired::{Desired, Node, Site};
use hwc_api::ids::{NodeId, SessionId, SiteId};
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::time::WallTime;
use hwc_api::v1::{NodeView, SiteView};
use hwc_registry::Registry;
use hwc_runtime::clock::Clock;
use refusal::RefusedRequests;
use std::sync::Arc;
use tokio::sync::watch;

/// Makes the text of a join token from its secret.
pub type JoinTokenText = Box<dyn Fn(&[u8; 32]) -> String + Send + Sync>;
/// Tells the other nodes that a session ended that would have lasted until then.
pub type SpreadRevocation = Box<dyn Fn(SessionId, WallTime) + Send + Sync>;

/// What the endpoints work with.
pub struct Api {
    /// This node.
    pub me: NodeId,
    /// The settings.
    pub registry: Registry,
    /// The newest settings.
    pub desired: watch::Receiver<Arc<Desired>>,
    /// The newest picture of the cluster.
    pub picture: watch::Receiver<Arc<Picture>>,
    /// Session tokens.
    pub seal: SessionSeal,
    /// Password hashing.
    pub passwords: Passwords,
    /// Wrong passwords of late.
    pub attempts: Attempts,
    /// What was refused.
    pub refused: RefusedRequests,
    /// Time.
    pub clock: Clock,
    /// Installing applications.
    pub installs: InstallJobs,
    /// What the brains saw.
    pub journals: Journals,
    /// Makes the text of a join token from its secret; needs the cluster's CA and our address.
    pub join_token_text: JoinTokenText,
    /// Tells the other nodes that a session ended, whether or not the registry can be told.
    pub spread_revocation: SpreadRevocation,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api")
            .field("me", &self.me)
            .finish_non_exhaustive()
    }
}

/// Desired and observed state at one moment, kept alive while a request looks at them.
#[derive(Debug, Clone)]
pub struct Now {
    /// What should be.
    pub desired: Arc<Desired>,
    /// What is.
    pub picture: Arc<Picture>,
    /// When.
    pub at: WallTime,
}

impl Now {
    /// As the views want it.
    #[must_use]
    pub fn scene(&self) -> Scene<'_> {
        Scene {
            desired: &self.desired,
            picture: &self.picture,
            now: self.at,
        }
    }
}

impl Api {
    /// The present moment's state.
    #[must_use]
    pub fn now(&self) -> Now {
        Now {
            desired: Arc::clone(&self.desired.borrow()),
            picture: Arc::clone(&self.picture.borrow()),
            at: self.clock.wall(),
        }
    }

    /// Asks the brains to move sites, wherever they are: with what installing works with as well.
    #[must_use]
    pub fn moves(&self) -> Moves {
        let rooms = self.installs.clone();
        Moves {
            me: self.me,
            registry: rooms.registry,
            desired: rooms.desired,
            picture: rooms.picture,
            group: rooms.group,
            inputs: rooms.inputs,
            clock: rooms.clock,
            tasks: rooms.tasks,
        }
    }

    /// Waits until this node has applied what `change` just did, so that the answer to it already
    /// shows it: the change may have been made by the leader a moment before it arrives here.
    pub async fn after_change<T>(&self, find: impl Fn(&Desired) -> Option<T>) -> Option<T> {
        let mut desired = self.desired.clone();
        let found = tokio::time::timeout(
            std::time::Duration::from_secs(5),
            desired.wait_for(|desired| find(desired).is_some()),
        );
        match found.await {
            Ok(Ok(desired)) => find(&desired),
            Ok(Err(_)) | Err(_) => None,
        }
    }

    /// A site on which `actor` may do `action`.
    ///
    /// # Errors
    /// Not found, where there is none or it is none of the actor's.
    pub fn site_for(
        &self,
        actor: &Actor,
        action: Action,
        now: &Now,
        id: SiteId,
    ) -> Result<Site, Problem> {
        let site = now
            .desired
            .sites
            .get(&id)
            .ok_or_else(|| not_found("site"))?;
        can(actor, action, Object::Of(site.account))?;
        Ok(site.clone())
    }

    /// A site as it is seen after a change of it.
    ///
    /// # Errors
    /// Not found, where it was deleted meanwhile.
    pub fn site_view(&self, id: SiteId) -> Result<SiteView, Problem> {
        let now = self.now();
        let site = now.desired.sites.get(&id);
        let site = site.ok_or_else(|| not_found("site"))?;
        Ok(now.scene().site(site))
    }

    /// A node as it is seen after a change of it.
    ///
    /// # Errors
    /// Unknown, where it was removed meanwhile.
    pub fn node_view(&self, id: NodeId) -> Result<NodeView, Problem> {
        let now = self.now();
        Ok(now.scene().node(active_node(&now, id)?))
    }
}

/// A node that belongs to the cluster.
///
/// # Errors
/// Unknown, where there is none.
pub fn active_node(now: &Now, id: NodeId) -> Result<&Node, Problem> {
    let mut nodes = now.desired.active_nodes();
    nodes.find(|node| node.id == id).ok_or_else(|| {
        Problem::new(ProblemCode::UnknownNode, "The cluster has no such node.")
            .detail(id.to_string())
    })
}

/// There is no such thing, or it is none of the asker's.
#[must_use]
pub fn not_found(what: &str) -> Problem {
    Problem::new(
        ProblemCode::NotFound,
        format!("There is no such {what}, or it is not yours."),
    )
}
