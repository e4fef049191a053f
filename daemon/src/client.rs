//! The API's client for this node's control socket: what `hwc` speaks.

use anyhow::Context;
use http_body_util::{BodyExt, Full, Limited};
use hwc_api::problem::Problem;
use hwc_api::v1::{Call, PREFIX};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;

/// Longest wait for an answer: a change may wait for the election of a new leader.
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);
/// Longest wait for a journal, which may come from another node over a slow line.
const DOWNLOAD_DEADLINE: Duration = Duration::from_secs(600);
/// Longest answer, bytes: more than the longest journal.
const ANSWER_BYTES_MAX: usize = 96 * 1024 * 1024;

/// Why a call gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The daemon refused it.
    #[error("{}", .0.message)]
    Refused(Problem),
    /// The daemon did not answer.
    #[error("ask the daemon on this node")]
    Daemon(#[source] anyhow::Error),
}

/// Speaks to the daemon of this node.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// A client of the daemon behind a Unix socket.
    #[must_use]
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into(),
        }
    }

    /// Makes a call of the API.
    ///
    /// # Errors
    /// A refusal carries the daemon's problem.
    pub async fn call<C: Call>(&self, call: &C) -> Result<C::Answer, CallError> {
        let path = format!("{PREFIX}{}", call.path());
        self.request(C::METHOD.as_str(), &path, call.body()).await
    }

    /// Sends JSON to a path and reads JSON back.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn request<B: Serialize, A: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: &B,
    ) -> Result<A, CallError> {
        let exchange = exchange(&self.socket, method, path, body);
        let bytes = within(ANSWER_DEADLINE, exchange).await?;
        let answer = serde_json::from_slice(&bytes).context("understand the answer");
        answer.map_err(CallError::Daemon)
    }

    /// Reads what is not JSON, whole or not at all.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn download(&self, path: &str) -> Result<Bytes, CallError> {
        let path = format!("{PREFIX}{path}");
        let exchange = exchange(&self.socket, "GET", &path, &());
        within(DOWNLOAD_DEADLINE, exchange).await
    }
}

/// Waits for an answer; a refusal is told from a failure.
async fn within(
    limit: Duration,
    exchange: impl Future<Output = anyhow::Result<(bool, Bytes)>>,
) -> Result<Bytes, CallError> {
    let answered = tokio::time::timeout(limit, exchange).await;
    let (is_success, bytes) = answered
        .with_context(|| format!("no answer within {} seconds", limit.as_secs()))
        .and_then(|result| result)
        .map_err(CallError::Daemon)?;
    if is_success {
        return Ok(bytes);
    }
    match serde_json::from_slice(&bytes) {
        Ok(problem) => Err(CallError::Refused(problem)),
        Err(error) => Err(CallError::Daemon(
            anyhow::Error::new(error).context("understand the refusal"),
        )),
    }
}

async fn exchange<B: Serialize>(
    socket: &Path,
    method: &str,
    path: &str,
    body: &B,
) -> anyhow::Result<(bool, Bytes)> {
    let stream = UnixStream::connect(socket).await.with_context(|| {
        format!(
            "connect to {}: is hwcd running, and are you root?",
            socket.display()
        )
    })?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .context("speak HTTP")?;
    let body = serde_json::to_vec(body).context("write the request")?;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .context("make the request")?;
    let ask = async move {
        let response = sender
            .send_request(request)
            .await
            .context("send the request")?;
        let is_success = response.status().is_success();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await;
        let body =
            body.map_err(|error| anyhow::Error::from_boxed(error).context("read the answer"))?;
        let bytes = body.to_bytes();
        Ok((is_success, bytes))
    };
    // The connection is driven beside the request and is done with it.
    tokio::pin!(ask);
    tokio::select! {
        answer = &mut ask => answer,
        ended = connection => {
            ended.context("keep the connection")?;
            ask.await
        }
    }
}
