//! The MySQL front door: sessions of this machine's programs, each to the live node of its database.
//!
//! We speak the handshake ourselves: greet, learn the user, find (or wait for) the live node, and
//! then let the client and the database's own server do the proving between them: the client is
//! asked to answer the server's nonce (AuthSwitchRequest), and everything after is passed on with
//! its sequence numbers shifted. No password or hash is known here. After the server's OK bytes are
//! copied blindly.

mod handshake;
mod packet;
pub(crate) mod peer;
mod session;
mod wire;

use crate::listener::{PublicSocket, accept};
use crate::shared::Shared;
use hwc_runtime::dial::PeerStream;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Serves the TCP port until the daemon stops.
pub(crate) fn serve_tcp(shared: &Arc<Shared>, listener: TcpListener) {
    let serving = Arc::clone(shared);
    shared
        .tasks
        .spawn_until_stopped("front door mysql tcp", async move {
            loop {
                let (stream, _local) = accept(&listener).await;
                begin(&serving, Box::new(stream));
            }
        });
}

/// Serves the socket until the daemon stops, then removes it.
pub(crate) fn serve_socket(shared: &Arc<Shared>, socket: PublicSocket) {
    let serving = Arc::clone(shared);
    shared
        .tasks
        .spawn_until_stopped("front door mysql socket", async move {
            loop {
                let stream = socket.accept().await;
                begin(&serving, Box::new(stream));
            }
        });
}

fn begin(shared: &Arc<Shared>, stream: PeerStream) {
    let place = Arc::clone(&shared.mysql_sessions).try_acquire_owned().ok();
    let serving = Arc::clone(shared);
    shared.tasks.spawn("mysql session", async move {
        match place {
            Some(_place) => session::serve(serving, stream).await,
            None => session::refuse_for_number(stream).await,
        }
    });
}
