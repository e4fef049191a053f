//! The newest decisions, per dataset, for people who ask why.

use super::{Output, Planner};
use crate::action::Command;
use hwc_api::explanation::{Decision, Outcome};
use hwc_api::ids::DatasetId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Kept per dataset: enough for an incident and what came before it.
const MOST_PER_DATASET: usize = 8;
/// Datasets with decisions kept. A node of ten thousand remembers those of the last incident.
const MOST_DATASETS: usize = 1_024;

/// Candidates kept per decision, the best ones: in a cluster of thousands nobody reads them all.
pub(super) const MOST_CANDIDATES: usize = 16;

/// The newest decisions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Decisions {
    of: BTreeMap<DatasetId, VecDeque<Decision>>,
    /// The datasets in the order of their newest decision, the oldest first.
    order: VecDeque<DatasetId>,
}

impl Decisions {
    pub(crate) fn note(&mut self, decision: Decision) {
        let dataset = decision.dataset;
        self.order.retain(|other| *other != dataset);
        self.order.push_back(dataset);
        let kept = self.of.entry(dataset).or_default();
        kept.push_front(decision);
        kept.truncate(MOST_PER_DATASET);
        if self.order.len() > MOST_DATASETS
            && let Some(oldest) = self.order.pop_front()
        {
            self.of.remove(&oldest);
        }
    }

    /// The newest first.
    pub(crate) fn of(&self, dataset: DatasetId) -> Vec<Decision> {
        let kept = self.of.get(&dataset);
        kept.map(|kept| kept.iter().cloned().collect())
            .unwrap_or_default()
    }

    pub(crate) fn newest(&self, dataset: DatasetId) -> Option<&Decision> {
        self.of.get(&dataset)?.front()
    }
}

impl Planner {
    /// Notes a decision and has it logged. That something stays for the same reason as before is
    /// said once.
    pub(super) fn decided(&mut self, mut decision: Decision, output: &mut Output) {
        decision.candidates.truncate(MOST_CANDIDATES);
        let before = self.decisions.newest(decision.dataset);
        let is_repeated = matches!(decision.outcome, Outcome::Stay { .. })
            && before.is_some_and(|before| before.outcome == decision.outcome);
        if is_repeated {
            return;
        }
        output.act(
            decision.dataset,
            Command::Decided {
                decision: decision.clone(),
            },
        );
        self.decisions.note(decision);
    }
}
