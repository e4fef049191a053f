//! Requests for a name that this node's web server has not read of: a domain that was added or given
//! to another site a moment ago. It would answer for no site, or for another one; so they are held,
//! with their body unread, as those that wait for a live node.

use super::delivery::{Again, Setback};
use super::errand::Errand;
use super::pages::Page;
use crate::gates::{Door, Pass};
use crate::shared::Shared;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks whether the name was read.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Holds the request until the web server has read of its name; at once for nearly all.
///
/// # Errors
/// When the gate closes meanwhile, when that takes too long, or too many wait.
pub(super) async fn hold(
    shared: &Shared,
    door: &Arc<Door>,
    errand: &Errand,
    pass: &Pass,
) -> Result<(), Setback> {
    let Some(name) = &errand.unread_name else {
        return Ok(());
    };
    let place = shared.room.enter(door, errand.head_bytes());
    let _place = place.map_err(|_no_room| Setback::Failed(Page::Busy))?;
    let read = async {
        while shared.table.load().unread_name(name).is_some() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::select! {
        biased;
        () = pass.closing() => Err(Setback::Again(Again::Soon)),
        waited = tokio::time::timeout(shared.config.limits.wait, read) => {
            waited.map_err(|_late| Setback::Failed(Page::NotNow))
        }
    }
}
