//! The asked node's side of a join: read the question, let the conductor judge it, sign.

use super::{ASK_BYTES_MAX, Ask, Reply, Welcome, framed};
use crate::identity::PeerName;
use crate::keys::Keys;
use crate::profile::Profile;
use crate::transport::{Joining, Transport};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{SinkExt, StreamExt};
use hwc_api::ids::NodeId;
use hwc_api::names::NodeName;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_runtime::clock::Clock;
use hwc_runtime::lifecycle::Tasks;
use rcgen::CertificateSigningRequestParams;
use rustls::pki_types::CertificateSigningRequestDer;
use std::collections::BTreeMap;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Whoever connects without a certificate has this long to ask.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(5);
/// Joins are done by hand: more at once than this are no joins.
const PARALLEL_MAX: usize = 8;
/// The version is shown to people; longer ones are somebody's joke.
const VERSION_LENGTH_MAX: usize = 64;

/// A server that asks to become a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRequest {
    /// SHA-256 of the token's secret, hexadecimal: the key in the registry.
    pub secret_hash: String,
    /// Its host name.
    pub name: NodeName,
    /// The address at which the other nodes will reach it.
    pub address: IpAddr,
    /// The version of its daemon.
    pub version: String,
}

/// The registry's yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinGrant {
    /// The newcomer's id.
    pub node: NodeId,
    /// The nodes of the cluster and where they listen.
    pub nodes: BTreeMap<NodeId, SocketAddr>,
    /// How patient they are.
    pub profile: Profile,
}

/// Judges a request; does the registry's change.
pub type JoinHandler =
    Arc<dyn Fn(JoinRequest) -> BoxFuture<'static, Result<JoinGrant, Problem>> + Send + Sync>;

/// Answers newcomers until the tasks stop. `judge` makes the change in the registry (the token is
/// used up in the same change) and gives the new node's id; signing is done here.
pub(crate) fn serve<J, F>(
    transport: &Transport,
    keys: &Keys,
    clock: &Clock,
    tasks: &Tasks,
    judge: J,
) where
    J: Fn(JoinRequest) -> F + Send + Sync + 'static,
    F: Future<Output = Result<JoinGrant, Problem>> + Send + 'static,
{
    let judge: JoinHandler = Arc::new(move |request| Box::pin(judge(request)));
    let mut joining = transport.joining();
    let places = Arc::new(Semaphore::new(PARALLEL_MAX));
    let desk = Arc::new(Desk {
        keys: keys.clone(),
        clock: clock.clone(),
        judge,
    });
    let workers = tasks.clone();
    tasks.spawn_until_stopped("join desk", async move {
        while let Some(visitor) = joining.recv().await {
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                tracing::warn!(address = %visitor.address, "too many joins at once; one was turned away");
                continue;
            };
            let desk = Arc::clone(&desk);
            workers.spawn_until_stopped("join", async move {
                desk.receive(visitor).await;
                drop(place);
            });
        }
    });
}

struct Desk {
    keys: Keys,
    clock: Clock,
    judge: JoinHandler,
}

impl Desk {
    async fn receive(&self, visitor: Joining) {
        let address = visitor.address;
        let mut frames = framed(visitor.stream, ASK_BYTES_MAX);
        let question = match timeout(QUESTION_TIMEOUT, frames.next()).await {
            Ok(Some(Ok(question))) => question,
            Ok(Some(Err(_)) | None) | Err(_) => {
                tracing::debug!(%address, "a newcomer left without a question");
                return;
            }
        };
        let reply = match self.answer(&question).await {
            Ok(welcome) => {
                tracing::info!(node.id = %welcome.node, %address, "a node joined the cluster");
                Reply::Welcome(Box::new(welcome))
            }
            Err(problem) => {
                tracing::warn!(%address, code = %problem.code, "a join was refused");
                Reply::Refused(problem)
            }
        };
        let Ok(reply) = serde_json::to_vec(&reply) else {
            tracing::error!("the answer to a join can't be written as JSON");
            return;
        };
        frames
            .codec_mut()
            .set_max_frame_length(super::ANSWER_BYTES_MAX);
        let sent = timeout(QUESTION_TIMEOUT, async {
            frames.send(Bytes::from(reply)).await?;
            frames.get_mut().shutdown().await
        });
        if !matches!(sent.await, Ok(Ok(()))) {
            tracing::warn!(%address, "a newcomer left before its answer");
        }
    }

    async fn answer(&self, question: &[u8]) -> Result<Welcome, Problem> {
        let ask: Ask = serde_json::from_slice(question).map_err(|_| {
            let message = "the question can't be read: install the same version on both nodes";
            Problem::new(ProblemCode::Malformed, message)
        })?;
        if ask.version.len() > VERSION_LENGTH_MAX || !ask.version.is_ascii() {
            return Err(Problem::new(ProblemCode::Invalid, "no version of hwc").field("version"));
        }
        // The request's own signature proves that the newcomer has the key.
        let signing_request = CertificateSigningRequestDer::from(ask.signing_request);
        let request =
            CertificateSigningRequestParams::from_der(&signing_request).map_err(|_| {
                Problem::new(ProblemCode::Invalid, "the signing request is not valid")
                    .field("signing_request")
            })?;

        let grant = (self.judge)(JoinRequest {
            secret_hash: ask.secret.hash(),
            name: ask.name,
            address: ask.address,
            version: ask.version,
        })
        .await?;

        // With the keys of this moment.
        let identity = self.keys.identity();
        let authority = identity.authority();
        let name = PeerName {
            cluster: authority.cluster.clone(),
            node: grant.node,
        };
        let certificate = authority
            .sign_node(&name, &request.public_key, self.clock.wall())
            .map_err(|error| {
                tracing::error!(%error, node.id = %grant.node, "sign a newcomer's certificate");
                Problem::new(ProblemCode::Internal, "the certificate could not be signed")
            })?;
        Ok(Welcome {
            node: grant.node,
            authority: authority.clone(),
            certificate: certificate.to_vec(),
            nodes: grant.nodes,
            profile: grant.profile,
        })
    }
}
