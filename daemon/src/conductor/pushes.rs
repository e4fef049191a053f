//! Divergent copies on their way to another node: one at a time of a dataset to a node. The brain
//! offers a copy again until it is shown there, also while a long stream is still under way.

use hwc_api::ids::{DatasetId, NodeId};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Route = (DatasetId, NodeId);

/// What is being pushed. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Pushes(Arc<Mutex<BTreeSet<Route>>>);

impl Pushes {
    /// Begins a push; none while another one of the dataset to that node is under way.
    #[must_use]
    pub fn begin(&self, dataset: DatasetId, to: NodeId) -> Option<Push> {
        let route = (dataset, to);
        let is_first = self.lock().insert(route);
        is_first.then(|| Push {
            all: self.clone(),
            route,
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<Route>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One push; over when dropped.
#[derive(Debug)]
pub struct Push {
    all: Pushes,
    route: Route,
}

impl Drop for Push {
    fn drop(&mut self) {
        self.all.lock().remove(&self.route);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_begins_again_when_the_one_before_is_over() {
        let pushes = Pushes::default();
        let (dataset, to) = (DatasetId(7), NodeId(2));
        let first = pushes.begin(dataset, to);
        assert!(first.is_some());
        assert!(pushes.begin(dataset, to).is_none());
        assert!(pushes.begin(dataset, NodeId(3)).is_some());
        assert!(pushes.begin(DatasetId(8), to).is_some());
        drop(first);
        assert!(pushes.begin(dataset, to).is_some());
    }
}
