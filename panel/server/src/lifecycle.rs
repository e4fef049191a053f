//! Start, readiness and shutdown, as systemd wants them.

use crate::settings::Settings;
use anyhow::Context;
use axum::Router;
use std::future::IntoFuture;
use std::io::IsTerminal;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// How long requests may go on after the order to stop. Pages take milliseconds, the slowest call
/// of the API that a page waits for is bounded below this.
const GRACE: Duration = Duration::from_secs(10);

/// Logs to standard error: lines for people on a terminal, JSON for the journal.
pub fn start_log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        log.init();
    } else {
        log.json().flatten_event(true).without_time().init();
    }
}

/// Serves until told to stop, then lets running requests finish.
pub async fn serve(settings: &Settings, router: Router) -> anyhow::Result<()> {
    let listener = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("listen on {}", settings.listen))?;
    let mut terminate = signal(SignalKind::terminate()).context("wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("wait for SIGINT")?;
    tracing::info!(listen = %settings.listen, api = %settings.api_socket.display(), "the panel serves");
    // Without systemd there is nobody to tell, which is no error.
    let _told = sd_notify::notify(&[sd_notify::NotifyState::Ready]);

    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = axum::serve(listener, router).with_graceful_shutdown(async move {
        let _either_way_stop = stopped.await;
    });
    let server = server.into_future();
    tokio::pin!(server);
    tokio::select! {
        served = &mut server => return served.context("serve"),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("asked to stop");
    let _told = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    let _stop_is_awaited = stop.send(());
    match tokio::time::timeout(GRACE, server).await {
        Ok(served) => served.context("serve"),
        Err(_) => {
            tracing::warn!("requests were still running after {GRACE:?}");
            Ok(())
        }
    }
}
