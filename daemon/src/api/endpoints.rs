//! The list of all endpoints, one file each, and the one place that lets a request through to them.

mod account_create;
mod account_delete;
mod account_list;
mod account_read;
mod app_install;
mod app_list;
mod balancing_read;
mod balancing_set;
mod cluster_settings_read;
mod cluster_settings_set;
mod job_read;
mod key_read;
mod key_rotate;
mod move_list;
mod node_drain;
mod node_drain_read;
mod node_journal;
mod node_list;
mod node_remove;
mod node_services_set;
mod node_token_create;
mod node_undrain;
mod node_zone_set;
mod registry_declare_lost;
mod registry_read;
mod session_create;
mod session_delete;
mod session_read;
mod site_create;
mod site_delete;
mod site_explain;
mod site_hold;
mod site_list;
mod site_move;
mod site_move_call_off;
mod site_move_list;
mod site_pin;
mod site_read;
mod status_read;
mod token_create;
mod token_delete;
mod token_list;

use super::Api;
use super::access::{Action, Object, can};
use super::identity::{ThroughControlSocket, actor};
use super::news::ask_again;
use super::refusal::{Refusal, count};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_api::v1::{Method, PREFIX};
use std::sync::Arc;

/// Largest request body: everything that the API takes is a small form.
const BODY_BYTES_MAX: usize = 64 * 1_024;

/// Who is let through to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone: signing in, which checks for itself.
    Anyone,
    /// Whoever may do this on something; the endpoint asks again with the object in hand.
    Signed(Action),
}

/// One endpoint.
#[derive(Debug)]
pub struct Endpoint {
    /// Its method.
    pub method: Method,
    /// Its path after [`PREFIX`], axum's syntax.
    pub path: &'static str,
    /// Who is let through.
    pub access: Access,
    /// What answers.
    pub handler: MethodRouter<Arc<Api>>,
}

/// All endpoints.
#[must_use]
pub fn endpoints() -> Vec<Endpoint> {
    vec![
        session_create::endpoint(),
        session_read::endpoint(),
        session_delete::endpoint(),
        site_list::endpoint(),
        site_create::endpoint(),
        site_read::endpoint(),
        site_delete::endpoint(),
        site_move::endpoint(),
        site_move_call_off::endpoint(),
        site_move_list::endpoint(),
        site_explain::endpoint(),
        site_pin::endpoint(),
        site_hold::endpoint(),
        move_list::endpoint(),
        balancing_read::endpoint(),
        balancing_set::endpoint(),
        app_list::endpoint(),
        app_install::endpoint(),
        job_read::endpoint(),
        account_list::endpoint(),
        account_create::endpoint(),
        account_read::endpoint(),
        account_delete::endpoint(),
        token_list::endpoint(),
        token_create::endpoint(),
        token_delete::endpoint(),
        node_list::endpoint(),
        node_remove::endpoint(),
        node_token_create::endpoint(),
        node_zone_set::endpoint(),
        node_services_set::endpoint(),
        node_drain::endpoint(),
        node_drain_read::endpoint(),
        node_undrain::endpoint(),
        node_journal::endpoint(),
        cluster_settings_read::endpoint(),
        cluster_settings_set::endpoint(),
        key_read::endpoint(),
        key_rotate::endpoint(),
        registry_read::endpoint(),
        registry_declare_lost::endpoint(),
        status_read::endpoint(),
        super::events::endpoint(),
    ]
}

/// The API as a router.
pub fn router(api: Arc<Api>) -> Router {
    let mut router = Router::new();
    for endpoint in endpoints() {
        let admission = (Arc::clone(&api), endpoint.access);
        let handler = endpoint.handler.layer(from_fn_with_state(admission, admit));
        router = router.route(&format!("{PREFIX}{}", endpoint.path), handler);
    }
    router
        .fallback(|| async { Refusal(super::not_found("page")) })
        .method_not_allowed_fallback(|| async {
            Refusal(Problem::new(
                ProblemCode::NotFound,
                "This page does not take that method.",
            ))
        })
        .layer(from_fn_with_state(Arc::clone(&api), ask_again))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(api.refused.clone(), count))
        .with_state(api)
}

/// Lets a request through when whoever asks may do what the endpoint does on anything at all; the
/// actor travels on with it.
async fn admit(
    State((api, access)): State<(Arc<Api>, Access)>,
    mut request: Request,
    next: Next,
) -> Response {
    let Access::Signed(action) = access else {
        return next.run(request).await;
    };
    let is_control = request.extensions().get::<ThroughControlSocket>().is_some();
    let admitted = actor(&api, request.method(), request.headers(), is_control).and_then(|actor| {
        can(&actor, action, Object::Any)
            .map(|()| actor)
            .inspect_err(|problem| {
                tracing::info!(action = ?action, code = %problem.code, "denied");
            })
    });
    match admitted {
        Ok(actor) => {
            request.extensions_mut().insert(actor);
            next.run(request).await
        }
        Err(problem) => Refusal(problem).into_response(),
    }
}
