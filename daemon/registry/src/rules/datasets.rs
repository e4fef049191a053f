//! Which nodes hold a dataset.

use super::draft::{Draft, not_found};
use crate::settings::Edit;
use hwc_api::change::Applied;
use hwc_api::desired::Dataset;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::problem::Problem;

pub(super) fn set_replicas(
    draft: &mut Draft<'_>,
    id: DatasetId,
    replicas: &[NodeId],
) -> Result<Applied, Problem> {
    let dataset = draft
        .desired()
        .datasets
        .get(&id)
        .filter(|dataset| !dataset.is_deleted)
        .ok_or_else(|| not_found("dataset", id).field("dataset"))?;
    draft.check_replicas(replicas)?;
    draft.edit(Edit::PutDataset(Dataset {
        replicas: replicas.to_vec(),
        ..dataset.clone()
    }));
    Ok(Applied::Done)
}
