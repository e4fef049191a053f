//! Which datasets a peer matters to, so that its coming and going costs no look at all the others: in
//! a large cluster a node hears of many datasets and has a say in few.

use crate::datasets::Datasets;
use hwc_api::ids::{DatasetId, NodeId};
use std::collections::{BTreeMap, BTreeSet};

/// An index of all datasets; not kept with the brain, but gathered anew where there is none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Relations {
    /// Those that this node has or had anything to do with.
    own: BTreeSet<DatasetId>,
    /// Those of which a peer ever showed anything.
    shown: BTreeMap<NodeId, BTreeSet<DatasetId>>,
}

impl Relations {
    pub(crate) fn gather(datasets: &Datasets, me: NodeId) -> Self {
        let mut relations = Self::default();
        for (dataset, ownership) in datasets.iter() {
            relations.note_own(*dataset, !ownership.is_foreign(me));
            for node in ownership.viewed() {
                relations.note_shown(node, *dataset);
            }
        }
        relations
    }

    /// Whether this node has or had anything to do with a dataset.
    pub(crate) fn note_own(&mut self, dataset: DatasetId, is_own: bool) {
        if is_own {
            self.own.insert(dataset);
        } else {
            self.own.remove(&dataset);
        }
    }

    /// A peer showed something of a dataset.
    pub(crate) fn note_shown(&mut self, node: NodeId, dataset: DatasetId) {
        self.shown.entry(node).or_default().insert(dataset);
    }

    /// What this node has a say in, in order.
    pub(crate) fn own(&self) -> Vec<DatasetId> {
        self.own.iter().copied().collect()
    }

    /// Where anything may be known of a peer: what it showed, and this node's own, whose streams
    /// tell of it as well.
    pub(crate) fn known_of(&self, node: NodeId) -> Vec<DatasetId> {
        let shown = self.shown.get(&node).into_iter().flatten();
        let shown = shown.filter(|dataset| !self.own.contains(dataset));
        shown.chain(&self.own).copied().collect()
    }
}
