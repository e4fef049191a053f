//! Requests that the process before us brings, for visitors who are still connected to it: see
//! [`crate::succession`].

use super::http1::{self, Side};
use crate::shared::Shared;
use crate::succession::greet;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use tokio::net::{UnixListener, UnixStream};

/// What counts for the census: the connections of the process before us are one address's.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Serves the socket until the daemon stops, or gives way: then the socket's next owner is meant, and
/// who is let in here would only bring requests of this process to itself. `https_port` is where our
/// own door for HTTPS is.
pub(crate) fn serve(shared: &Arc<Shared>, listener: UnixListener, https_port: u16) {
    let shared = Arc::clone(shared);
    let tasks = shared.tasks.clone();
    tasks.spawn_until_stopped("front door of the daemon before", async move {
        shared.admission.wait().await;
        loop {
            let stream = tokio::select! {
                biased;
                () = shared.succession.begun() => return,
                stream = crate::listener::accept_unix(&listener) => stream,
            };
            // Who knew that we give way may have been quicker than we.
            if shared.succession.is_begun() {
                return;
            }
            if !is_one_of_us(&stream) {
                tracing::warn!("somebody else wants to speak for visitors: refused");
                continue;
            }
            let Some(counted) = shared.connections.enter(HERE) else {
                continue;
            };
            let work = converse(Arc::clone(&shared), stream, https_port);
            shared.visitors.spawn("daemon before", async move {
                work.await;
                drop(counted);
            });
        }
    });
}

/// Whether the other side runs as whom we run, which is root. The socket's mode says the same.
fn is_one_of_us(stream: &UnixStream) -> bool {
    let own = std::fs::metadata("/proc/self").map(|process| process.uid());
    match (stream.peer_cred(), own) {
        (Ok(peer), Ok(own)) => peer.uid() == own,
        (Err(_), _) | (_, Err(_)) => false,
    }
}

async fn converse(shared: Arc<Shared>, mut stream: UnixStream, https_port: u16) {
    if let Err(error) = greet(&mut stream).await {
        return tracing::debug!(%error, "the daemon before us is gone");
    }
    let (reader, writer) = stream.into_split();
    http1::serve(shared, Side::Predecessor { https_port }, reader, writer).await;
}
