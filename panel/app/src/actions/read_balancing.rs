//! How load is spread.

use crate::refusal::Refusal;
use hwc_api::balancing::Balancing;
use leptos::prelude::*;

/// The rules of balancing.
///
/// # Errors
/// The visitor is no administrator, or nobody answered.
#[server(prefix = "/do", endpoint = "read-balancing")]
pub async fn read_balancing() -> Result<Balancing, Refusal> {
    crate::server::ask(&hwc_api::v1::ReadBalancing).await
}
