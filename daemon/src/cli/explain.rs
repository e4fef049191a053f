//! `hwc explain`: why a site is where it is, and where it would go.

use super::move_words::reason;
use super::sites::find;
use super::table::{age, size, table};
use super::{Failure, Session};
use clap::Args;
use hwc_api::explanation::{
    Candidate, DatasetExplanation, Decision, Explanation, Obstacle, Outcome, RehomeReason, Unfit,
};
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::names::DomainName;
use hwc_api::ownership::HolderState;
use hwc_api::time::WallTime;
use hwc_api::v1::{ExplainSite, ListNodes, SiteView};
use hwc_runtime::clock::Clock;
use std::collections::BTreeMap;

/// Which site.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Its domain.
    site: DomainName,
}

pub async fn run(session: &Session, arguments: Arguments) -> Result<(), Failure> {
    let site = find(session, &arguments.site).await?;
    let explanation = session.client.call(&ExplainSite { site: site.id }).await?;
    let nodes = session.client.call(&ListNodes).await?;
    let nodes = nodes.into_iter().map(|view| view.node);
    let words = Words {
        nodes: nodes.map(|node| (node.id, node.name.to_string())).collect(),
        datasets: dataset_names(&site),
        now: Clock::system().wall(),
    };
    session.print(&explanation, |explanation| {
        words.explanation(&site.title, explanation)
    })
}

fn dataset_names(site: &SiteView) -> BTreeMap<DatasetId, String> {
    let databases = site.databases.iter();
    let databases = databases.map(|db| (db.dataset.id, format!("database {}", db.name)));
    databases
        .chain([(site.files.id, "files".to_owned())])
        .collect()
}

/// A decision by itself, with the nodes that were considered; nodes by their numbers.
#[must_use]
pub fn decision_text(decision: &Decision) -> String {
    let words = Words {
        nodes: BTreeMap::new(),
        datasets: BTreeMap::new(),
        now: decision.at,
    };
    let candidates = if decision.candidates.is_empty() {
        String::new()
    } else {
        words.candidates(&decision.candidates)
    };
    format!("{}\n{candidates}", words.outcome(decision))
}

/// What an explanation is put into words with.
struct Words {
    nodes: BTreeMap<NodeId, String>,
    datasets: BTreeMap<DatasetId, String>,
    now: WallTime,
}

impl Words {
    fn explanation(&self, title: &str, explanation: &Explanation) -> String {
        let datasets = explanation.datasets.iter();
        let texts: Vec<_> = datasets
            .map(|dataset| self.dataset(title, dataset))
            .collect();
        texts.join("\n")
    }

    fn dataset(&self, title: &str, of: &DatasetExplanation) -> String {
        let name = self.datasets.get(&of.dataset).cloned();
        let name = name.unwrap_or_else(|| format!("dataset {}", of.dataset));
        let does = match of.state {
            HolderState::Live => "serves it",
            HolderState::Draining => "hands it over",
            HolderState::Claiming => "is taking it over",
            HolderState::Replica => "does not serve it",
        };
        let (by, epoch) = (self.node(of.by), of.epoch);
        let stays = match of.obstacle {
            Some(obstacle) => format!("It would not move by itself: {}.", because(obstacle)),
            None => "It would move by itself.".to_owned(),
        };
        let mut text = format!("{title}, {name}: {by} {does}, epoch {epoch}. {stays}\n");
        if !of.candidates.is_empty() {
            text += "Where it would go if it had to move now, best first:\n";
            text += &self.candidates(&of.candidates);
        }
        if !of.decisions.is_empty() {
            text += "Newest decisions:\n";
            for decision in &of.decisions {
                text += &format!("  {}\n", self.decision(decision));
            }
        }
        text
    }

    fn candidates(&self, candidates: &[Candidate]) -> String {
        let row = |candidate: &Candidate| {
            let score = candidate.score;
            vec![
                format!("  {}", self.node(candidate.node)),
                score.map_or_else(|| "-".to_owned(), |score| score.to_string()),
                if candidate.has_copy { "yes" } else { "no" }.to_owned(),
                format!("{} %", candidate.load_percent),
                size(candidate.free_bytes),
                candidate.unfit.map_or("", unfit).to_owned(),
            ]
        };
        let rows: Vec<_> = candidates.iter().map(row).collect();
        let headings = ["  NODE", "SCORE", "COPY", "LOAD", "POOL FREE", "UNFIT"];
        table(&headings, &rows)
    }

    fn decision(&self, decision: &Decision) -> String {
        let (ago, by) = (age(self.now.since_ms(decision.at)), self.node(decision.by));
        format!("{ago} ago, {by}: {}", self.outcome(decision))
    }

    fn outcome(&self, decision: &Decision) -> String {
        match &decision.outcome {
            Outcome::Claim { epoch } => format!("goes live under epoch {epoch}"),
            Outcome::Move {
                to,
                reason: why,
                load_percent,
                target_load_percent,
            } => format!(
                "moves to {} ({}); load here {load_percent} %, there with it \
                 {target_load_percent} %",
                self.node(*to),
                reason(*why)
            ),
            Outcome::Stay { obstacle } => format!("stays: {}", because(*obstacle)),
            Outcome::Rehome {
                before,
                after,
                reason,
            } => format!(
                "copies on {} instead of {}: {}",
                self.names(after),
                self.names(before),
                rehomed(*reason)
            ),
        }
    }

    fn names(&self, nodes: &[NodeId]) -> String {
        let names: Vec<_> = nodes.iter().map(|node| self.node(*node)).collect();
        names.join(", ")
    }

    /// A node's name; its number once it is removed.
    fn node(&self, id: NodeId) -> String {
        let name = self.nodes.get(&id).cloned();
        name.unwrap_or_else(|| format!("node {id}"))
    }
}

const fn because(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::Pinned => "it is pinned to its node",
        Obstacle::Held => "somebody asked that it stay for a while",
        Obstacle::CoolDown => "it moved not long ago",
        Obstacle::Budget => "as many moves as allowed are under way or were made just now",
        Obstacle::NoTarget => "no node is fit to take it",
        Obstacle::NoGain => "moving it would not make the busier of both nodes less busy",
        Obstacle::SwitchedOff => "spreading load is switched off",
        Obstacle::NotBusy => "its node is not busy",
    }
}

const fn unfit(unfit: Unfit) -> &'static str {
    match unfit {
        Unfit::Down => "does not answer",
        Unfit::Unwell => "services do not run as they should",
        Unfit::Draining => "is being drained",
        Unfit::NotHosting => "hosts nothing",
        Unfit::Full => "has no room for it",
        Unfit::Here => "has it",
        Unfit::Busy => "would be too busy with it",
        Unfit::SameZone => "another copy is in its zone",
    }
}

const fn rehomed(reason: RehomeReason) -> &'static str {
    match reason {
        RehomeReason::NodeLost => "a node that held one is gone",
        RehomeReason::Drain => "a node that held one is being drained",
        RehomeReason::NotHosting => "a node that held one hosts nothing any more",
        RehomeReason::TooFew => "there were too few",
        RehomeReason::TooMany => "there were too many",
        RehomeReason::OneZone => "all were in one zone",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::ids::{BootId, SiteId};
    use hwc_api::moves::MoveReason;
    use hwc_api::ownership::Epoch;

    #[test]
    fn an_explanation_reads_from_the_state_to_the_decisions() {
        let words = Words {
            nodes: [(NodeId(1), "n1".to_owned()), (NodeId(2), "n2".to_owned())].into(),
            datasets: [(DatasetId(7), "files".to_owned())].into(),
            now: WallTime(61_000),
        };
        let candidate = |node, score, unfit| Candidate {
            node: NodeId(node),
            score,
            unfit,
            has_copy: score.is_some(),
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
            candidates: Vec::new(),
        };
        let dataset = DatasetExplanation {
            dataset: DatasetId(7),
            by: NodeId(1),
            state: HolderState::Live,
            epoch: Epoch {
                counter: 3,
                node: NodeId(1),
                boot: BootId(1),
            },
            candidates: vec![
                candidate(2, Some(45), None),
                candidate(3, None, Some(Unfit::Down)),
            ],
            obstacle: Some(Obstacle::CoolDown),
            decisions: vec![decision],
        };
        let explanation = Explanation {
            site: SiteId(1),
            datasets: vec![dataset],
        };
        assert_eq!(
            words.explanation("a.example", &explanation),
            "a.example, files: n1 serves it, epoch 3-1-00000001. It would not move by itself: it \
             moved not long ago.\n\
             Where it would go if it had to move now, best first:\n\
             \u{20}\u{20}NODE    SCORE  COPY  LOAD  POOL FREE  UNFIT\n\
             \u{20}\u{20}n2      45     yes   40 %  1.0 GiB\n\
             \u{20}\u{20}node 3  -      no    40 %  1.0 GiB    does not answer\n\
             Newest decisions:\n\
             \u{20}\u{20}1 min ago, n1: moves to n2 (balance); load here 92 %, there with it 45 %\n"
        );
    }
}
