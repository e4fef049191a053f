//! `hwc explain`: why a site is where it is, and where it would go.

use super::move_words::reason;
use super::sites::{copy, find};
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
use hwc_api::v1::{DatasetView, ExplainSite, ListNodes, SiteView};
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
    let databases = site.databases.iter().map(|database| &database.dataset);
    let parts: Vec<_> = std::iter::once(&site.files).chain(databases).collect();
    session.print(&explanation, |explanation| {
        words.explanation(&site.title, &parts, explanation)
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
        words.candidates("  ", &decision.candidates)
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
    /// All parts of a site, those of which nothing was said too.
    fn explanation(
        &self,
        title: &str,
        parts: &[&DatasetView],
        explanation: &Explanation,
    ) -> String {
        let explained = &explanation.datasets;
        let is_untold = |part: &&&DatasetView| explained.iter().all(|one| one.dataset != part.id);
        let untold = parts.iter().filter(is_untold);
        let told = explained.iter().map(|dataset| self.dataset(title, dataset));
        let texts: Vec<_> = told
            .chain(untold.map(|part| self.untold(title, part)))
            .collect();
        texts.join("\n")
    }

    /// A dataset that the brain that was asked knows nothing of: what is known without it.
    fn untold(&self, title: &str, part: &DatasetView) -> String {
        let known = match &part.live_node {
            Some(node) => format!(
                "{} serves it but does not say why yet; ask again in a moment",
                node.name
            ),
            None => "no node serves it, and the node that was asked knows nothing of it".to_owned(),
        };
        let copies: Vec<_> = part.copies.iter().map(copy).collect();
        let copies = if copies.is_empty() {
            "No other copy is known.".to_owned()
        } else {
            format!("Copies: {}.", copies.join(", "))
        };
        format!("{title}, {}: {known}. {copies}\n", self.name(part.id))
    }

    /// What a dataset holds, with its number.
    fn name(&self, id: DatasetId) -> String {
        self.datasets.get(&id).map_or_else(
            || format!("dataset {id}"),
            |name| format!("{name} (dataset {id})"),
        )
    }

    fn dataset(&self, title: &str, of: &DatasetExplanation) -> String {
        let name = self.name(of.dataset);
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
            text += &self.candidates("  ", &of.candidates);
        }
        if !of.decisions.is_empty() {
            text += "Newest decisions:\n";
            for (place, decision) in of.decisions.iter().enumerate() {
                text += &format!("  {}\n", self.decision(decision));
                // What the newest one chose from; older ones are in the journal and in JSON.
                if place == 0 && !decision.candidates.is_empty() {
                    text += &self.candidates("    ", &decision.candidates);
                }
            }
        }
        text
    }

    fn candidates(&self, indent: &str, candidates: &[Candidate]) -> String {
        let row = |candidate: &Candidate| {
            let score = candidate.score;
            vec![
                format!("{indent}{}", self.node(candidate.node)),
                score.map_or_else(|| "-".to_owned(), |score| score.to_string()),
                if candidate.has_copy { "yes" } else { "no" }.to_owned(),
                format!("{} %", candidate.load_percent),
                size(candidate.free_bytes),
                candidate.unfit.map_or("", unfit).to_owned(),
            ]
        };
        let rows: Vec<_> = candidates.iter().map(row).collect();
        let first = format!("{indent}NODE");
        let headings = [&*first, "SCORE", "COPY", "LOAD", "POOL FREE", "UNFIT"];
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
    use hwc_api::names::NodeName;
    use hwc_api::ownership::Epoch;
    use hwc_api::v1::{CopyView, LiveState, NodeRef};

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
            candidates: vec![
                candidate(2, Some(45), None),
                candidate(4, None, Some(Unfit::Full)),
            ],
        };
        let older = Decision {
            at: WallTime(1_000),
            outcome: Outcome::Stay {
                obstacle: Obstacle::NoGain,
            },
            ..decision.clone()
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
            decisions: vec![decision, older],
        };
        let explanation = Explanation {
            site: SiteId(1),
            datasets: vec![dataset],
        };
        assert_eq!(
            words.explanation("a.example", &[], &explanation),
            "a.example, files (dataset 7): n1 serves it, epoch 3-1-00000001. It would not move by \
             itself: it moved not long ago.\n\
             Where it would go if it had to move now, best first:\n\
             \u{20}\u{20}NODE    SCORE  COPY  LOAD  POOL FREE  UNFIT\n\
             \u{20}\u{20}n2      45     yes   40 %  1.0 GiB\n\
             \u{20}\u{20}node 3  -      no    40 %  1.0 GiB    does not answer\n\
             Newest decisions:\n\
             \u{20}\u{20}1 min ago, n1: moves to n2 (balance); load here 92 %, there with it 45 %\n\
             \u{20}\u{20}\u{20}\u{20}NODE    SCORE  COPY  LOAD  POOL FREE  UNFIT\n\
             \u{20}\u{20}\u{20}\u{20}n2      45     yes   40 %  1.0 GiB\n\
             \u{20}\u{20}\u{20}\u{20}node 4  -      no    40 %  1.0 GiB    has no room for it\n\
             \u{20}\u{20}1 min ago, n1: stays: moving it would not make the busier of both nodes \
             less busy\n"
        );
    }

    #[test]
    fn a_part_that_no_node_explains_is_told_with_what_is_known() {
        let words = Words {
            nodes: BTreeMap::new(),
            datasets: [(DatasetId(7), "files".to_owned())].into(),
            now: WallTime(0),
        };
        let node = |id| NodeRef {
            id: NodeId(id),
            name: NodeName::parse(&format!("n{id}")).expect("a name"),
        };
        let mut part = DatasetView {
            id: DatasetId(7),
            state: LiveState::Down,
            live_node: None,
            used_bytes: 0,
            copies: vec![CopyView {
                node: node(2),
                is_reachable: false,
                is_complete: true,
                age_ms: None,
            }],
            divergent_copies: 0,
            moving: None,
        };
        let nothing = Explanation {
            site: SiteId(1),
            datasets: Vec::new(),
        };
        assert_eq!(
            words.explanation("a.example", &[&part], &nothing),
            "a.example, files (dataset 7): no node serves it, and the node that was asked knows \
             nothing of it. Copies: n2: out of reach.\n"
        );
        part.live_node = Some(node(3));
        part.copies.clear();
        assert_eq!(
            words.explanation("a.example", &[&part], &nothing),
            "a.example, files (dataset 7): n3 serves it but does not say why yet; ask again in a \
             moment. No other copy is known.\n"
        );
    }
}
