//! Signing out, on every node at once.

use crate::refusal::Refusal;
use leptos::prelude::*;

/// Ends the session, takes the cookie back and goes to the sign-in page.
///
/// # Errors
/// When the cluster could not be told: then the session still stands, and so does the cookie.
#[server(prefix = "/do", endpoint = "sign-out")]
pub async fn sign_out() -> Result<(), Refusal> {
    use crate::server;
    use hwc_api::v1::{SESSION_COOKIE, SignOut};

    if let Err(refusal) = server::call(&SignOut).await
        && !refusal.asks_to_sign_in()
    {
        return Err(refusal);
    }
    server::clear_cookie(SESSION_COOKIE);
    leptos_axum::redirect("/sign-in");
    Ok(())
}
