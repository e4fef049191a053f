//! All datasets that a brain has heard of. Each is in an allocation of its own: a tree of large
//! values would keep nearly as much room free as it uses.

use crate::ownership::Ownership;
use hwc_api::ids::DatasetId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Datasets in the order of their ids.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Datasets(BTreeMap<DatasetId, Box<Ownership>>);

impl Datasets {
    pub(crate) fn get(&self, dataset: &DatasetId) -> Option<&Ownership> {
        self.0.get(dataset).map(|ownership| &**ownership)
    }

    pub(crate) fn get_mut(&mut self, dataset: &DatasetId) -> Option<&mut Ownership> {
        self.0.get_mut(dataset).map(|ownership| &mut **ownership)
    }

    /// One that was not heard of before begins empty.
    pub(crate) fn heard_of(&mut self, dataset: DatasetId) -> &mut Ownership {
        self.0.entry(dataset).or_default()
    }

    pub(crate) fn insert(&mut self, dataset: DatasetId, ownership: Ownership) {
        self.0.insert(dataset, Box::new(ownership));
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &DatasetId> {
        self.0.keys()
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Ownership> {
        self.0.values().map(|ownership| &**ownership)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&DatasetId, &Ownership)> + Clone {
        self.0.iter().map(|(id, ownership)| (id, &**ownership))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&DatasetId, &mut Ownership)> {
        self.0
            .iter_mut()
            .map(|(id, ownership)| (id, &mut **ownership))
    }
}
