//! Accepts connections: choose by the first TLS message, shake hands, look into the roster, hand on.
//!
//! Until a peer has proved who it is it costs a place, for a few seconds at most. Connections from
//! addresses of the cluster's other nodes have their own places, so that strangers (and customers'
//! programs on this very machine) can't keep nodes out.

use super::guard::Guarded;
use super::refusal::classify;
use super::{Incoming, Joining, REMOVED, StreamRefusal, Transport, WELCOME, socket};
use crate::identity::PeerName;
use hwc_api::ids::NodeId;
use hwc_runtime::dial::Service;
use hwc_runtime::lifecycle::Tasks;
use rustls::server::Acceptor;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

/// Handshakes at once from addresses of other nodes: after a power cut all come at the same time.
const PEER_PLACES: usize = 256;
/// Handshakes at once from everywhere else: joins.
const STRANGER_PLACES: usize = 32;
/// After an error of `accept` itself (no file descriptors left) another try at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

pub(super) fn spawn(transport: Transport, listener: TcpListener, tasks: &Tasks) {
    let hall = Hall {
        peers: Arc::new(Semaphore::new(PEER_PLACES)),
        strangers: Arc::new(Semaphore::new(STRANGER_PLACES)),
    };
    let workers = tasks.clone();
    tasks.spawn_until_stopped("accept streams", async move {
        loop {
            let (stream, address) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Some(place) = hall.place(&transport, address) else {
                tracing::debug!(%address, "all places are taken; a connection was turned away");
                transport.0.refusals.count(StreamRefusal::Crowded);
                continue;
            };
            let transport = transport.clone();
            workers.spawn_until_stopped("admit a stream", async move {
                admit(&transport, stream, address, place).await;
            });
        }
    });
}

/// Where those wait who have not proved who they are.
struct Hall {
    peers: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
}

impl Hall {
    fn place(&self, transport: &Transport, address: SocketAddr) -> Option<OwnedSemaphorePermit> {
        let roster = transport.roster().get();
        let is_peer = roster.is_peer_address(transport.node(), address.ip().to_canonical());
        let places = if is_peer {
            &self.peers
        } else {
            &self.strangers
        };
        Arc::clone(places).try_acquire_owned().ok()
    }
}

async fn admit(
    transport: &Transport,
    stream: TcpStream,
    address: SocketAddr,
    place: OwnedSemaphorePermit,
) {
    let admitted = timeout(
        transport.0.timing.admission,
        receive(transport, stream, address),
    )
    .await;
    drop(place);
    let error = match admitted {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error,
        Err(elapsed) => elapsed.into(),
    };
    tracing::debug!(%address, %error, "a connection was refused");
    transport.0.refusals.count(classify(&error));
}

async fn receive(transport: &Transport, stream: TcpStream, address: SocketAddr) -> io::Result<()> {
    socket::tune(&stream, transport.0.timing.unacknowledged)?;
    let started = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let join = Service::Join.alpn().as_bytes();
    let wants_to_join = started
        .client_hello()
        .alpn()
        .is_some_and(|mut names| names.any(|name| name == join));
    let acceptors = &transport.0.acceptors;
    if wants_to_join {
        let stream = started.into_stream(Arc::clone(&acceptors.joining)).await?;
        return hand_on_newcomer(transport, stream, address).await;
    }
    let stream = started.into_stream(Arc::clone(&acceptors.peers)).await?;
    hand_on_peer(transport, stream, address).await
}

async fn hand_on_newcomer(
    transport: &Transport,
    stream: TlsStream<TcpStream>,
    address: SocketAddr,
) -> io::Result<()> {
    let room = transport.doors().joining.clone();
    let room = room.ok_or(StreamRefusal::NoService)?;
    let joining = Joining {
        address,
        stream: Box::new(stream),
    };
    room.send(joining)
        .await
        .map_err(|_stopping| StreamRefusal::NoService.into())
}

async fn hand_on_peer(
    transport: &Transport,
    mut stream: TlsStream<TcpStream>,
    address: SocketAddr,
) -> io::Result<()> {
    let (peer, service) = judge(transport, &stream)?;
    let Some(cut) = transport.admit(peer) else {
        tracing::warn!(node.id = %peer, %address, "a node that is not in the cluster was refused");
        if transport.roster().get().removed.contains(&peer) {
            stream.write_u8(REMOVED).await?;
            stream.shutdown().await?;
        }
        return Err(StreamRefusal::UnknownNode.into());
    };
    let room = transport.doors().rooms.get(&service).cloned();
    let room = room.ok_or(StreamRefusal::NoService)?;
    // Only who has a place is welcomed.
    let place = room
        .reserve()
        .await
        .map_err(|_stopping| StreamRefusal::NoService)?;
    stream.write_u8(WELCOME).await?;
    stream.flush().await?;
    place.send(Incoming {
        peer,
        stream: Box::new(Guarded::new(stream, cut)),
    });
    Ok(())
}

/// Who is there and what for. The chain was verified by TLS already.
fn judge(transport: &Transport, stream: &TlsStream<TcpStream>) -> io::Result<(NodeId, Service)> {
    let connection = stream.get_ref().1;
    let certificate = connection
        .peer_certificates()
        .and_then(|chain| chain.first())
        .ok_or(StreamRefusal::Handshake)?;
    let name = PeerName::of_certificate(certificate).map_err(|_| StreamRefusal::NoName)?;
    if name.cluster != transport.0.me.cluster {
        return Err(StreamRefusal::OtherCluster.into());
    }
    let alpn = connection.alpn_protocol();
    let service = Service::ALL
        .into_iter()
        .find(|service| Some(service.alpn().as_bytes()) == alpn && *service != Service::Join)
        .ok_or(StreamRefusal::NoService)?;
    Ok((name.node, service))
}
