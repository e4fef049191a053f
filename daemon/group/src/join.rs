//! How a server without a certificate becomes a node.
//!
//! An administrator asks a node for a token and pastes it on the new server. The token names the
//! node to ask, the fingerprint of the cluster's node authority (so that the newcomer gives its
//! secret to nobody else), and the secret (so that the cluster admits nobody else). The newcomer
//! makes its own key and sends a signing request; the answer brings its certificate and the
//! cluster's authority. Whether the secret is good, and which id the newcomer gets, is the
//! registry's affair: the conductor answers that ([`crate::Group::admit_newcomers`]).
//!
//! A secret never appears in an argument list, a log or a registry: only its hash leaves this room.

mod client;
mod server;
mod token;

pub use client::{JoinAnswer, JoinError, Newcomer, ask};
pub(crate) use server::serve;
pub use server::{JoinGrant, JoinHandler, JoinRequest};
pub use token::{JoinToken, JoinTokenError};

use crate::identity::{ClusterAuthority, SecretBytes};
use crate::profile::Profile;
use hwc_api::ids::NodeId;
use hwc_api::names::NodeName;
use hwc_api::problem::Problem;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

/// A question is some hundred bytes; the asker is not known yet.
const ASK_BYTES_MAX: usize = 16 * 1024;
/// An answer lists every node of the cluster.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// What the newcomer sends.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    secret: SecretBytes<32>,
    name: NodeName,
    address: IpAddr,
    version: String,
    #[serde(with = "base64_bytes")]
    signing_request: Vec<u8>,
}

/// What it gets.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Reply {
    Welcome(Box<Welcome>),
    Refused(Problem),
}

#[derive(Debug, Serialize, Deserialize)]
struct Welcome {
    node: NodeId,
    authority: ClusterAuthority,
    #[serde(with = "base64_bytes")]
    certificate: Vec<u8>,
    nodes: BTreeMap<NodeId, SocketAddr>,
    #[serde(default)]
    profile: Profile,
}

/// Bytes as base64 in JSON.
mod base64_bytes {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(serde::de::Error::custom)
    }
}

/// Length-prefixed frames, each at most `bytes_max`.
fn framed<S: AsyncRead + AsyncWrite>(
    stream: S,
    bytes_max: usize,
) -> Framed<S, LengthDelimitedCodec> {
    LengthDelimitedCodec::builder()
        .max_frame_length(bytes_max)
        .new_framed(stream)
}
