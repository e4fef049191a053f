//! Which nodes hold a dataset.

use super::draft::{Draft, not_found};
use crate::settings::Edit;
use hwc_api::change::Applied;
use hwc_api::desired::Dataset;
use hwc_api::ids::{DatasetId, NodeId};
use hwc_api::problem::{Problem, ProblemCode};

pub(super) fn set_replicas(
    draft: &mut Draft<'_>,
    id: DatasetId,
    expected: &[NodeId],
    replicas: &[NodeId],
) -> Result<Applied, Problem> {
    let dataset = draft
        .desired()
        .datasets
        .get(&id)
        .filter(|dataset| !dataset.is_deleted)
        .ok_or_else(|| not_found("dataset", id).field("dataset"))?;
    if dataset.replicas != expected {
        return Err(Problem::new(
            ProblemCode::Conflict,
            format!("The nodes that hold dataset {id} were changed meanwhile. Look again."),
        )
        .field("expected")
        .detail(id.to_string()));
    }
    draft.check_replicas(replicas, expected)?;
    draft.edit(Edit::PutDataset(Dataset {
        replicas: replicas.to_vec(),
        ..dataset.clone()
    }));
    Ok(Applied::Done)
}
