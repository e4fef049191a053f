//! Receipts of moves: a bounded memory of those that ended.

use super::draft::{Draft, not_found, unknown_node};
use crate::settings::Edit;
use hwc_api::change::Applied;
use hwc_api::ids::MoveId;
use hwc_api::moves::{MoveReceipt, MoveReport};
use hwc_api::problem::Problem;

/// How many receipts are kept: weeks of a cluster that drains a node a day, and under a megabyte
/// of every snapshot.
pub(crate) const RECEIPTS_KEPT: usize = 2_000;

/// A dataset and nodes that are gone may still be told of: the move was before.
pub(super) fn note(draft: &mut Draft<'_>, report: &MoveReport) -> Result<Applied, Problem> {
    let desired = draft.desired();
    if !desired.datasets.contains_key(&report.dataset) {
        return Err(not_found("dataset", report.dataset).field("dataset"));
    }
    for node in [report.from, report.to] {
        if !desired.nodes.contains_key(&node) {
            return Err(unknown_node(node));
        }
    }
    let id = MoveId(draft.take(|counters| &mut counters.receipt)?);
    draft.edit(Edit::PutMove(MoveReceipt {
        id,
        report: report.clone(),
    }));
    let too_many = (desired.moves.len() + 1).saturating_sub(RECEIPTS_KEPT);
    for oldest in desired.moves.keys().take(too_many) {
        draft.edit(Edit::DeleteMove(*oldest));
    }
    Ok(Applied::Move(id))
}
