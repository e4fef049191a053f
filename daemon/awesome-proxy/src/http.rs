//! The HTTP front door: connections of visitors, from accept to close.
//!
//! A connection ([`connection`]) speaks HTTP/1.1 ([`http1`]), which is ours from the first byte to
//! the last, or HTTP/2 ([`http2`]), agreed on by ALPN only, which is hyper's. Either hears where a
//! request belongs ([`front`], [`peer`]) and has it brought there: [`delivery`] finds the way,
//! [`send`] and [`exchange`] go it over the connections of [`upstream`], and [`relay`] brings back
//! the answer as it comes. What a request may do while its site moves is written in
//! [`crate::gates`], and what while the daemon is restarted ([`successor`], [`predecessor`]) in
//! [`crate::succession`].

mod connection;
mod delivery;
mod errand;
mod exchange;
mod framing;
pub(crate) mod front;
mod grammar;
mod headers;
mod http1;
mod http2;
mod origin;
mod pages;
pub(crate) mod peer;
pub(crate) mod predecessor;
mod relay;
mod send;
mod source;
mod stall;
mod stop;
mod successor;
mod timer;
pub(crate) mod tls;
mod unread;
mod upgrade;
pub(crate) mod upstream;
mod websocket;
mod writer;

use crate::listener::accept;
use crate::shared::Shared;
use front::Entrance;
use hwc_api::ids::NodeId;
use hwc_runtime::dial::PeerStream;
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
        shared.admission.wait().await;
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
            shared.visitors.spawn("visitor", async move {
                work.await;
                drop(counted);
            });
        }
    });
}

/// Serves one connection of another node's front door to its end. `peer` is the node that TLS
/// proved.
pub(crate) async fn serve_peer(shared: Arc<Shared>, peer: NodeId, stream: PeerStream) {
    let (reader, writer) = tokio::io::split(stream);
    http1::serve(shared, http1::Side::Node(peer), reader, writer).await;
}
