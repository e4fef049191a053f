//! `hwc-panel`: the panel's web server.
//!
//! Unprivileged and stateless: it listens on the loopback for the cluster's own proxy, draws pages
//! and reaches the cluster only through the API's Unix socket, always with the visitor's session.
//!
//! - [`settings`]: the command line.
//! - [`api_socket`]: the way to the API.
//! - [`router`]: which request goes where; [`page`], [`origin`], [`headers`], [`assets`] on the way.
//! - [`lifecycle`]: start, readiness, shutdown.

// Views are types that nest as deep as the page does.
#![recursion_limit = "512"]

mod api_socket;
mod assets;
mod headers;
mod lifecycle;
mod origin;
mod page;
mod router;
mod settings;

use anyhow::Context;
use clap::Parser;
use hwc_panel_app::i18n::catalogue::Catalogue;
use settings::Settings;
use std::process::ExitCode;
use std::sync::Arc;

#[tokio::main]
async fn main() -> ExitCode {
    let settings = Settings::parse();
    lifecycle::start_log();
    match run(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("the panel can't run: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(settings: Settings) -> anyhow::Result<()> {
    let catalogue = Catalogue::load(&settings.locales).context("load languages")?;
    let assets = assets::find(&settings.site_root).context("find the browser's half")?;
    let transport = Arc::new(api_socket::ApiSocket::new(settings.api_socket.clone()));
    let state = router::PanelState::new(transport, catalogue, assets);
    let router = router::build(state, &settings.site_root);
    lifecycle::serve(&settings, router).await
}
