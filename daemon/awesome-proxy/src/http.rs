//! The HTTP front door: connections of visitors, from accept to close.
//!
//! HTTP/1.1 is read through [`strict`], which hyper alone is too lenient for; HTTP/2 is agreed on
//! by ALPN only. Which way a request goes is `front`'s and `delivery`'s.

mod body;
mod connection;
mod delivery;
mod errand;
pub(crate) mod front;
mod headers;
mod pages;
pub(crate) mod peer;
mod stall;
mod strict;
pub(crate) mod tls;
mod upgrade;
pub(crate) mod upstream;

use crate::listener::accept;
use crate::shared::Shared;
use front::Entrance;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Serves a listener until the daemon stops.
pub(crate) fn serve(
    shared: &Arc<Shared>,
    listener: TcpListener,
    entrance: Entrance,
    tls: Option<TlsAcceptor>,
) {
    let shared = Arc::clone(shared);
    let tasks = shared.tasks.clone();
    tasks.spawn_until_stopped(format!("front door {}", entrance.name()), async move {
        loop {
            let (stream, peer) = accept(&listener).await;
            let address = peer.ip().to_canonical();
            // Beyond the limits nothing is said: an answer would cost what is lacking.
            let Some(counted) = shared.connections.enter(address) else {
                tracing::debug!(%address, "too many connections");
                continue;
            };
            let work =
                connection::serve(Arc::clone(&shared), stream, address, entrance, tls.clone());
            shared.tasks.spawn("visitor", async move {
                work.await;
                drop(counted);
            });
        }
    });
}
