//! Which request goes where: files, server functions, pages.

use crate::assets;
use crate::headers;
use crate::origin::refuse_foreign;
use crate::page::{api_of, gather};
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef, State};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use http::request::Parts;
use hwc_panel_app::app::App;
use hwc_panel_app::i18n::catalogue::Catalogue;
use hwc_panel_app::page_data::Page;
use hwc_panel_app::server::Transport;
use hwc_panel_app::shell::{Assets, shell};
use leptos::config::LeptosOptions;
use leptos::prelude::{provide_context, use_context};
use leptos_axum::{
    AxumRouteListing, LeptosRoutes, generate_route_list, handle_server_fns_with_context,
};
use std::path::Path;
use std::sync::{Arc, LazyLock};
use tower_http::compression::CompressionLayer;

/// The largest form, bytes: the longest has a dozen short fields.
const FORM_BYTES_MAX: usize = 64 * 1024;

/// The pages, listed once in a process and before its first request: while Leptos lists them, no page
/// that is drawn elsewhere in the process gets its data, ever.
static ROUTES: LazyLock<Vec<AxumRouteListing>> = LazyLock::new(|| generate_route_list(App));

/// What every request may need. Copies are cheap.
#[derive(Clone)]
pub struct PanelState {
    /// The way to the API.
    pub transport: Arc<dyn Transport>,
    /// All languages.
    pub catalogue: Catalogue,
    /// The browser's half.
    pub assets: Arc<Assets>,
    options: LeptosOptions,
}

impl PanelState {
    /// The state of a panel that serves these.
    pub fn new(transport: Arc<dyn Transport>, catalogue: Catalogue, assets: Assets) -> Self {
        Self {
            transport,
            catalogue,
            assets: Arc::new(assets),
            options: LeptosOptions::builder().output_name("hwc").build(),
        }
    }
}

impl FromRef<PanelState> for LeptosOptions {
    fn from_ref(state: &PanelState) -> Self {
        state.options.clone()
    }
}

/// The whole panel.
pub fn build(state: PanelState, site_root: &Path) -> Router {
    let files = assets::routes(site_root, &state.assets);
    let actions = Router::new()
        .route("/do/{*action}", post(act))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .with_state(state.clone());
    let mut router = pages(state)
        .merge(actions)
        // What is drawn is compressed as it goes; files were compressed when they were built.
        .layer(CompressionLayer::new())
        .merge(files)
        .route("/health", get(|| async { "ok" }))
        .layer(from_fn(refuse_foreign));
    for (name, value) in headers::ALWAYS {
        router = router.layer(headers::layer(name, value));
    }
    router
}

/// All pages; what is none of them is drawn as not found.
fn pages(state: PanelState) -> Router {
    let context = context_for(state.clone());
    let assets = Arc::clone(&state.assets);
    let draw = move || shell(&assets);
    let not_found = leptos_axum::render_app_async_with_context(context.clone(), draw.clone());
    // Server functions have their own route: only pages are gathered for.
    Router::new()
        .leptos_routes_with_context(&state, ROUTES.clone(), context, draw)
        .fallback(not_found)
        .layer(from_fn_with_state(state.clone(), gather))
        .with_state(state)
}

/// Runs a server function.
async fn act(
    State(state): State<PanelState>,
    request: axum::extract::Request,
) -> impl IntoResponse {
    handle_server_fns_with_context(context_for(state), request).await
}

/// What pages and server functions find in their context: the API for this visitor, and the page.
fn context_for(state: PanelState) -> impl Fn() + Clone + Send + Sync + 'static {
    move || {
        let Some(parts) = use_context::<Parts>() else {
            return;
        };
        provide_context(api_of(&state, &parts.headers));
        if let Some(page) = parts.extensions.get::<Page>() {
            provide_context(page.clone());
            headers::add_content_policy();
        }
    }
}

#[cfg(test)]
mod tests;
