//! Deleting an account that owns nothing.

use crate::refusal::Refusal;
use hwc_api::ids::AccountId;
use leptos::prelude::*;

/// Deletes an account and goes to the list of accounts.
///
/// # Errors
/// The account still owns sites, or nobody answered.
#[server(prefix = "/do", endpoint = "delete-account")]
pub async fn delete_account(account: AccountId) -> Result<(), Refusal> {
    crate::server::call(&hwc_api::v1::DeleteAccount { account }).await?;
    leptos_axum::redirect("/accounts?done=account-deleted");
    Ok(())
}
