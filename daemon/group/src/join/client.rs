//! The newcomer's side of a join.
//!
//! It connects to the node that the token names, believes it only if its certificate leads to the
//! authority with the token's fingerprint, and only then sends the secret.

use super::{ANSWER_BYTES_MAX, Ask, JoinToken, Reply, Welcome, framed};
use crate::identity::{Fingerprint, IdentityError, NodeIdentity, PeerName};
use crate::profile::Profile;
use crate::transport::tls;
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use hwc_api::ids::NodeId;
use hwc_api::names::NodeName;
use hwc_api::problem::Problem;
use hwc_runtime::clock::Clock;
use hwc_runtime::dial::Service;
use rcgen::{CertificateParams, KeyPair, PublicKeyData};
use rustls::pki_types::{CertificateDer, ServerName};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// A join is done by hand, once: the network may be slow.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The registry must commit the newcomer before the answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// What a newcomer says of itself.
#[derive(Debug, Clone)]
pub struct Newcomer {
    /// Its host name.
    pub name: NodeName,
    /// The address at which the other nodes will reach it.
    pub address: IpAddr,
    /// The version of its daemon.
    pub version: String,
}

/// What a newcomer gets.
#[derive(Debug)]
pub struct JoinAnswer {
    /// Its identity, not saved yet.
    pub identity: NodeIdentity,
    /// The node that answered.
    pub asked: NodeId,
    /// The nodes of the cluster and where they listen, as the asked node knows them.
    pub nodes: BTreeMap<NodeId, SocketAddr>,
    /// How patient they are.
    pub profile: Profile,
}

/// Why a join came to nothing. Nothing was saved here; where the answer was lost on its way, the
/// token may be used up.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// Nobody answers at the token's address.
    #[error("connect to {address}: check that hwcd runs there and that the port is open")]
    Connect {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Who answers is not of the cluster that made the token.
    #[error("{address} is not a node of the cluster that made this token")]
    OtherCluster {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The connection broke, or what came over it makes no sense.
    #[error("exchange with {address}: ask for a new token and try again")]
    Exchange {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The cluster said no.
    #[error("the cluster refused: {0}")]
    Refused(Problem),
    /// A key or certificate could not be made.
    #[error("prepare the node's key")]
    Identity(#[from] IdentityError),
}

/// Asks the node that the token names to admit this server.
///
/// # Errors
/// What went wrong and what to do; see [`JoinError`].
pub async fn ask(
    token: &JoinToken,
    newcomer: Newcomer,
    clock: &Clock,
) -> Result<JoinAnswer, JoinError> {
    let key = KeyPair::generate().map_err(IdentityError::from)?;
    let signing_request = CertificateParams::default()
        .serialize_request(&key)
        .map_err(IdentityError::from)?;
    let question = Ask {
        secret: token.secret.clone(),
        name: newcomer.name,
        address: newcomer.address,
        version: newcomer.version,
        signing_request: signing_request.der().to_vec(),
    };

    let address = token.address;
    let stream = connect(token, clock).await?;
    let asked = asked_node(&stream)
        .ok_or_else(|| io::Error::other("the answering node has no name"))
        .map_err(|source| JoinError::OtherCluster { address, source })?;
    let exchange = |source| JoinError::Exchange { address, source };
    let reply = timeout(ANSWER_TIMEOUT, converse(stream, &question))
        .await
        .map_err(|elapsed| exchange(elapsed.into()))?
        .map_err(exchange)?;
    match reply {
        Reply::Refused(problem) => Err(JoinError::Refused(problem)),
        Reply::Welcome(welcome) => {
            believe(*welcome, asked, token.authority, &key).map_err(exchange)
        }
    }
}

type Stream = tokio_rustls::client::TlsStream<TcpStream>;

async fn connect(token: &JoinToken, clock: &Clock) -> Result<Stream, JoinError> {
    let address = token.address;
    let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect(address))
        .await
        .unwrap_or_else(|elapsed| Err(elapsed.into()))
        .map_err(|source| JoinError::Connect { address, source })?;
    let config =
        tls::joining_client(token.authority, clock).map_err(|error| JoinError::OtherCluster {
            address,
            source: io::Error::other(error),
        })?;
    // The certificate is judged by its authority alone: a newcomer does not know the node's id.
    let connector = TlsConnector::from(config);
    let handshake = connector.connect(ServerName::from(address.ip()), stream);
    let stream = timeout(CONNECT_TIMEOUT, handshake)
        .await
        .unwrap_or_else(|elapsed| Err(elapsed.into()))
        .map_err(|source| JoinError::OtherCluster { address, source })?;
    if stream.get_ref().1.alpn_protocol() == Some(Service::Join.alpn().as_bytes()) {
        return Ok(stream);
    }
    let source = io::Error::other("it does not speak of joining");
    Err(JoinError::OtherCluster { address, source })
}

fn asked_node(stream: &Stream) -> Option<PeerName> {
    let certificate = stream.get_ref().1.peer_certificates()?.first()?;
    PeerName::of_certificate(certificate).ok()
}

async fn converse(stream: Stream, question: &Ask) -> io::Result<Reply> {
    let mut frames = framed(stream, ANSWER_BYTES_MAX);
    let question = Bytes::from(serde_json::to_vec(question)?);
    frames.send(question).await?;
    let answer = frames
        .next()
        .await
        .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))??;
    Ok(serde_json::from_slice(&answer)?)
}

/// The answer came from a node of the right cluster; it must also be about that cluster, about the
/// key that we made, and about one node.
fn believe(
    welcome: Welcome,
    asked: PeerName,
    authority: Fingerprint,
    key: &KeyPair,
) -> io::Result<JoinAnswer> {
    let certificate = CertificateDer::from(welcome.certificate);
    let name = PeerName::of_certificate(&certificate).map_err(io::Error::other)?;
    let expected = PeerName {
        cluster: welcome.authority.cluster.clone(),
        node: welcome.node,
    };
    let is_ours = rustls::server::ParsedCertificate::try_from(&certificate)
        .is_ok_and(|parsed| *parsed.subject_public_key_info() == *key.subject_public_key_info());
    if welcome.authority.nodes.fingerprint() != authority
        || asked.cluster != expected.cluster
        || name != expected
        || !is_ours
    {
        return Err(io::Error::other("the answer contradicts itself"));
    }
    Ok(JoinAnswer {
        identity: NodeIdentity::from_parts(welcome.node, welcome.authority, certificate, key),
        asked: asked.node,
        nodes: welcome.nodes,
        profile: welcome.profile,
    })
}
