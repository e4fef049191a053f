//! What other nodes' conductors, and newcomers, ask of this one.

use super::facts::roster;
use crate::conductor::hands::{BRAIN_CALL, Rooms};
use crate::conductor::input::{Input, Inputs};
use crate::conductor::receipts::{self, PAUSE_CALL};
use crate::config::Config;
use crate::install::{INSTALL_CALL, InstallJobs, Order};
use crate::moves::{MOVE_CALL, Moves};
use crate::network;
use hwc_api::change::{Applied, Change};
use hwc_api::ids::DatasetId;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_group::join::JoinGrant;
use hwc_registry::Registry;
use hwc_runtime::clock::Clock;
use hwc_state_machine::{DatasetEvent, PeerMessage};
use std::sync::Arc;

/// Answers the calls of the other conductors.
pub(super) fn answer_calls(
    rooms: &Arc<Rooms>,
    installs: &InstallJobs,
    moves: &Moves,
    inputs: &Inputs,
) {
    let inputs = inputs.clone();
    rooms.group.calls.answer(BRAIN_CALL, move |from, body| {
        let inputs = inputs.clone();
        async move {
            let (dataset, message): (DatasetId, PeerMessage) =
                postcard::from_bytes(&body).map_err(|error| malformed(&error))?;
            let _stopped = inputs.send(Input::Dataset(
                dataset,
                DatasetEvent::Message { from, message },
            ));
            Ok(bytes::Bytes::new())
        }
    });
    let moves = moves.clone();
    rooms.group.calls.answer(MOVE_CALL, move |_from, body| {
        let moves = moves.clone();
        async move { moves.answer(&body).await }
    });
    let doors = Arc::clone(rooms);
    rooms.group.calls.answer(PAUSE_CALL, move |_from, body| {
        let doors = Arc::clone(&doors);
        async move { receipts::answer(&doors, &body) }
    });
    let installs = installs.clone();
    rooms.group.calls.answer(INSTALL_CALL, move |_from, body| {
        let installs = installs.clone();
        async move {
            let order: Order = serde_json::from_slice(&body).map_err(|error| malformed(&error))?;
            installs.carry_out(order);
            Ok(bytes::Bytes::new())
        }
    });
}

pub(crate) fn malformed(error: &dyn std::fmt::Display) -> Problem {
    Problem::new(
        ProblemCode::Malformed,
        format!("The call was not understood: {error}."),
    )
}

/// Lets newcomers in whose token the registry knows.
pub(super) fn admit_newcomers(
    config: &Config,
    rooms: &Arc<Rooms>,
    registry: &Registry,
    clock: &Clock,
) {
    let (registry, port, clock) = (registry.clone(), config.port, clock.clone());
    rooms.group.admit_newcomers(move |request| {
        let (registry, clock) = (registry.clone(), clock.clone());
        async move {
            let change = Change::JoinNode {
                secret_hash: request.secret_hash,
                name: request.name,
                address: request.address,
                now: clock.wall(),
            };
            let applied = registry.change(change).await?;
            let Applied::Node(node) = applied else {
                return Err(Problem::new(
                    ProblemCode::Internal,
                    "The settings answered unexpectedly.",
                ));
            };
            let desired = registry.desired();
            let desired = desired.borrow();
            let network = desired.cluster.as_ref().map(|cluster| cluster.network);
            Ok(JoinGrant {
                node: node.id,
                nodes: roster(&desired, port).nodes,
                profile: network::profile(network.unwrap_or_default()),
            })
        }
    });
}
