//! A node that was removed from the cluster: it stops, and from then on says so and nothing else.
//!
//! It may have been away at the time and know nothing of it. What it would serve from its own disk
//! is old then, and together with others that were removed it could even find a majority. So the
//! first node of the cluster that it reaches tells it ([`Transport::removed_by`]), or its own
//! settings do. The daemon leaves a note and stops; from the next start on it answers every call
//! with what happened. The note goes with the state folder, without which a machine joins anew.
//!
//! [`Transport::removed_by`]: hwc_group::transport::Transport::removed_by

use crate::api::refusal::Refusal;
use crate::conductor::hands::Rooms;
use anyhow::Context;
use axum::Router;
use hwc_api::ids::NodeId;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_registry::Registry;
use hwc_runtime::files::{FileMode, write_atomically};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use tokio_util::sync::CancellationToken;

/// That a node was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// Which node this was.
    node: NodeId,
    /// Who told it; none where its own settings did.
    by: Option<NodeId>,
}

impl Removal {
    /// The note of an earlier start.
    ///
    /// # Errors
    /// When it can't be read or understood.
    pub fn load(state: &Path) -> anyhow::Result<Option<Self>> {
        let path = path(state);
        match std::fs::read(&path) {
            Ok(json) => serde_json::from_slice(&json)
                .with_context(|| format!("understand {}", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
        }
    }

    fn keep(&self, state: &Path) -> io::Result<()> {
        let json = serde_json::to_vec(self)?;
        write_atomically(&path(state), &json, FileMode::SECRET)
    }

    /// What happened and what to do, for people.
    #[must_use]
    pub fn advice(&self, state: &Path) -> String {
        let says = match self.by {
            Some(by) => format!("node {by} says so"),
            None => "its own settings say so".to_owned(),
        };
        format!(
            "This node, node {}, was removed from the cluster for good ({says}): nobody listens to \
             it any more, and it serves nothing. To use this machine again, stop hwcd, empty {}, \
             start hwcd, and let it join with a new token (hwc node token on another node).",
            self.node,
            state.display()
        )
    }
}

fn path(state: &Path) -> PathBuf {
    state.join("removed.json")
}

/// Answers every call with what happened.
pub fn router(advice: &str) -> Router {
    let problem = Problem::new(ProblemCode::NotMember, advice);
    Router::new().fallback(move || async move { Refusal(problem) })
}

/// Stops the daemon once it is known that this node was removed.
pub fn spawn(rooms: &Rooms, registry: &Registry, state: &Path, stop: &CancellationToken) {
    let me = rooms.group.transport.node();
    let (mut told, mut desired) = (rooms.group.transport.removed_by(), registry.desired());
    let (state, stop) = (state.to_owned(), stop.clone());
    rooms.tasks.spawn_until_stopped("removal", async move {
        let by = tokio::select! {
            by = told.wait_for(Option::is_some) => by.ok().and_then(|by| *by),
            own = desired.wait_for(|desired| {
                desired.nodes.get(&me).is_some_and(|node| node.is_removed)
            }) => match own {
                Ok(_is_removed) => None,
                // The registry ended: so does this.
                Err(_closed) => return,
            },
        };
        let removal = Removal { node: me, by };
        if let Err(error) = removal.keep(&state) {
            tracing::error!(%error, "keep the note that this node was removed");
        }
        tracing::error!("{}", removal.advice(&state));
        stop.cancel();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_node_remembers_it_until_its_state_is_emptied() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let state = folder.path();
        assert_eq!(Removal::load(state).expect("no note"), None);
        let removal = Removal {
            node: NodeId(4),
            by: Some(NodeId(1)),
        };
        removal.keep(state).expect("written");
        assert_eq!(Removal::load(state).expect("a note"), Some(removal.clone()));
        let advice = removal.advice(state);
        for part in ["node 4", "node 1 says so", &state.display().to_string()] {
            assert!(advice.contains(part), "{advice}");
        }
    }
}
