//! The key with which the nodes seal their datagrams: who has it, and a new one.

use crate::refusal::Refusal;
use hwc_api::v1::KeysView;
use leptos::prelude::*;

/// Who has the newest key; never the key itself.
///
/// # Errors
/// The visitor is no administrator, or nobody answered.
#[server(prefix = "/do", endpoint = "read-keys")]
pub async fn read_keys() -> Result<KeysView, Refusal> {
    crate::server::ask(&hwc_api::v1::ReadKeys).await
}

/// Replaces the key. Nothing is interrupted.
///
/// # Errors
/// The visitor is no administrator, another replacement is under way, or nobody answered.
#[server(prefix = "/do", endpoint = "rotate-keys")]
pub async fn rotate_keys() -> Result<(), Refusal> {
    crate::server::call(&hwc_api::v1::RotateKeys).await?;
    leptos_axum::redirect("/network?done=key-replaced");
    Ok(())
}
