//! What a replay shows, in words: what was seen, what was decided and why, how the brain then sees a
//! dataset.

use super::explain::decision_text;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::ownership::HolderRecord;
use hwc_api::v1::NodeHealth;
use hwc_journal::Step;
use hwc_state_machine::{Action, ClusterFacts, Command, DatasetStatus, Event};
use std::collections::BTreeSet;

/// What was seen.
pub fn event_text(event: &Event) -> String {
    match event {
        Event::Dataset { dataset, event } => format!("dataset {dataset}: {event:?}"),
        Event::Cluster(facts) => cluster_text(facts),
        Event::Loads(loads) => format!("Loads of {} datasets that are live here", loads.len()),
        Event::Sizes(sizes) => format!("Sizes of {} datasets", sizes.len()),
        Event::Registry(view) => format!(
            "Registry: {} datasets, {} moves that ended",
            view.datasets.len(),
            view.moves.len()
        ),
        Event::Booted { boot, inventory } => {
            format!("Booted {boot} with {} datasets on disk", inventory.len())
        }
        Event::PeerAlive { .. }
        | Event::PeerSuspect { .. }
        | Event::RecordsHeard { .. }
        | Event::Tick
        | Event::Gap { .. } => format!("{event:?}"),
    }
}

fn cluster_text(facts: &ClusterFacts) -> String {
    let nodes = facts.nodes.iter().map(|(id, node)| {
        let health = if node.is_up {
            NodeHealth::Up
        } else {
            NodeHealth::Down
        };
        let drained = if node.is_draining { ", drained" } else { "" };
        format!("{id} {}{drained}", super::nodes::health(health))
    });
    let nodes: Vec<_> = nodes.collect();
    let settings = match (facts.is_writable, facts.leader) {
        (true, Some(leader)) => format!("settings writable, node {leader} leads"),
        (true, None) => "settings writable".to_owned(),
        (false, _) => "settings read-only".to_owned(),
    };
    let moves = facts.moves.len();
    format!(
        "Cluster: nodes {}; {settings}; {moves} moves",
        nodes.join(", ")
    )
}

/// What was wanted; a decision with its reasons.
pub fn action_text(action: &Action) -> String {
    let (dataset, command) = (action.dataset, &action.command);
    if let Command::Decided { decision } = command {
        let text = decision_text(decision).replace('\n', "\n        ");
        return format!("    dataset {dataset} decided: {}", text.trim_end());
    }
    format!("    dataset {dataset} <- {command:?}")
}

/// The datasets that a step is about.
pub fn datasets_of(step: &Step<'_>) -> BTreeSet<DatasetId> {
    let mut datasets: BTreeSet<_> = step.actions.iter().map(|action| action.dataset).collect();
    if let Event::Dataset { dataset, .. } = &step.entry.event {
        datasets.insert(*dataset);
    }
    datasets
}

/// How the brain sees a dataset; none where it has not heard of it yet.
pub fn view_text(dataset: DatasetId, status: Option<&DatasetStatus>) -> String {
    let seen = status.map_or_else(|| "not heard of yet".to_owned(), status_text);
    format!("    view of dataset {dataset}: {seen}")
}

fn status_text(status: &DatasetStatus) -> String {
    let gate = if status.is_open { ", gate open" } else { "" };
    let live = match status.live {
        Some(node) => format!("node {node} is live"),
        None => "nobody is known to be live".to_owned(),
    };
    let copy = if status.lineage.is_some() {
        "a copy"
    } else {
        "no copy"
    };
    let moving = status.moving_to;
    let moving = moving.map_or_else(String::new, |to| format!(", moving to node {to}"));
    let mut parts = vec![format!(
        "here {:?}{gate}{moving}, {copy}, seen {}; {live}",
        status.phase, status.seen
    )];
    let others = status.views.iter();
    parts.extend(others.map(|(node, view)| {
        let counts = match (view.is_alive, view.is_known) {
            (false, _) => "out of reach",
            (true, false) => "unheard",
            (true, true) => "heard",
        };
        other_text(*node, &view.record, counts)
    }));
    parts.join("; ")
}

fn other_text(node: NodeId, record: &HolderRecord, counts: &str) -> String {
    let copy = if record.has_copy { "a copy" } else { "no copy" };
    format!(
        "node {node} ({counts}): {:?}, {copy}, seen {}",
        record.state, record.seen
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::explanation::{Candidate, Decision, Outcome, Unfit};
    use hwc_api::moves::MoveReason;
    use hwc_api::time::WallTime;

    #[test]
    fn a_decision_is_shown_with_the_nodes_that_were_considered() {
        let candidate = |node, score, unfit| Candidate {
            node: NodeId(node),
            score,
            unfit,
            has_copy: true,
            load_percent: 40,
            free_bytes: 1 << 30,
        };
        let decision = Decision {
            at: WallTime(0),
            by: NodeId(1),
            dataset: DatasetId(7),
            outcome: Outcome::Move {
                to: NodeId(2),
                reason: MoveReason::Balance,
                load_percent: 92,
                target_load_percent: 45,
            },
            candidates: vec![
                candidate(2, Some(45), None),
                candidate(3, None, Some(Unfit::Full)),
            ],
        };
        let action = Action {
            dataset: DatasetId(7),
            command: Command::Decided { decision },
        };
        assert_eq!(
            action_text(&action),
            "    dataset 7 decided: moves to node 2 (balance); load here 92 %, there with it 45 %\n\
             \u{20}         NODE    SCORE  COPY  LOAD  POOL FREE  UNFIT\n\
             \u{20}         node 2  45     yes   40 %  1.0 GiB\n\
             \u{20}         node 3  -      yes   40 %  1.0 GiB    has no room for it"
        );
    }
}
