//! Signing in: the answer's session goes into a cookie that only the server reads.

use crate::refusal::Refusal;
use leptos::prelude::*;

/// Signs in and goes on to `next`, or to the first page.
///
/// # Errors
/// Wrong name or password, too many attempts, or nobody answered.
#[server(prefix = "/do", endpoint = "sign-in")]
pub async fn sign_in(
    login: String,
    password: String,
    #[server(default)] next: String,
    #[server(default)] stay: String,
) -> Result<(), Refusal> {
    use crate::{return_path, server};
    use hwc_api::v1::{SESSION_COOKIE, SignIn, SignInBody};

    let kept = [("login", login.as_str()), ("stay", stay.as_str())];
    let call = SignIn {
        body: SignInBody {
            login: login.clone(),
            password,
        },
    };
    let session = server::call(&call)
        .await
        .map_err(|refusal| refusal.keeping(kept))?;
    let expires = (!stay.is_empty()).then_some(session.expires_at);
    server::set_cookie(SESSION_COOKIE, &session.token, expires);
    leptos_axum::redirect(return_path::checked(&next).unwrap_or("/"));
    Ok(())
}
