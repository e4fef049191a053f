//! HTTP/1.1 to this node's API over its Unix socket, with kept connections.
//!
//! Adds nothing but the visitor's session and address; decides nothing.

use http::{HeaderValue, Request, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hwc_panel_app::server::{ApiRequest, ApiResponse, Transport, TransportError};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::UnixStream;

/// The longest wait for an answer. A change of settings waits for a majority of voters, which
/// the API itself gives up after five seconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(9);
/// The largest answer, bytes: a status of thousands of sites is a few megabytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The header in which the front door and the panel name the visitor's address. Only they can reach
/// the API's socket, and only the front door can reach the panel.
pub const CLIENT_HEADER: &str = "x-hwc-client";
/// Idle connections that are kept, for bursts of pages.
const IDLE_CONNECTIONS: usize = 16;

/// The way to the API.
pub struct ApiSocket {
    client: Client<SocketConnector, Full<Bytes>>,
}

impl ApiSocket {
    /// The API behind this socket. Connects when first asked, and anew after the API restarted.
    pub fn new(socket: PathBuf) -> Self {
        let connector = SocketConnector {
            socket: Arc::from(socket),
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .build(connector);
        Self { client }
    }

    async fn exchange(&self, request: ApiRequest) -> Result<ApiResponse, TransportError> {
        let request = to_http(request)?;
        let answered = async {
            let response = self.client.request(request).await.map_err(failed)?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
            let body = body.collect().await.map_err(TransportError)?.to_bytes();
            Ok(ApiResponse {
                status,
                body: body.into(),
            })
        };
        match tokio::time::timeout(ANSWER_TIMEOUT, answered).await {
            Ok(answered) => answered,
            Err(elapsed) => Err(failed(elapsed)),
        }
    }
}

impl Transport for ApiSocket {
    fn send(
        &self,
        request: ApiRequest,
    ) -> Pin<Box<dyn Future<Output = Result<ApiResponse, TransportError>> + Send + '_>> {
        Box::pin(self.exchange(request))
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> TransportError {
    TransportError(Box::new(error))
}

/// The call as it goes over the socket.
fn to_http(request: ApiRequest) -> Result<Request<Full<Bytes>>, TransportError> {
    let mut http = Request::builder()
        .method(request.method.as_str())
        // The host is a formality: the socket is the API's alone.
        .uri(format!("http://localhost{}", request.path))
        .header(header::ACCEPT, "application/json");
    if let Some(token) = request.token {
        let mut value =
            HeaderValue::from_str(&format!("Bearer {}", token.reveal())).map_err(failed)?;
        value.set_sensitive(true);
        http = http.header(header::AUTHORIZATION, value);
    }
    if let Some(client) = request.client {
        http = http.header(CLIENT_HEADER, client);
    }
    let body = match request.body {
        Some(json) => {
            http = http.header(header::CONTENT_TYPE, "application/json");
            Full::from(json)
        }
        None => Full::default(),
    };
    http.body(body).map_err(failed)
}

/// Connects to the socket, whatever the address says.
#[derive(Clone)]
struct SocketConnector {
    socket: Arc<Path>,
}

impl tower::Service<Uri> for SocketConnector {
    type Response = SocketStream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<SocketStream>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let socket = Arc::clone(&self.socket);
        Box::pin(async move {
            let stream = UnixStream::connect(&socket).await?;
            Ok(SocketStream(TokioIo::new(stream)))
        })
    }
}

/// A connection, as hyper's client wants it.
struct SocketStream(TokioIo<UnixStream>);

impl Connection for SocketStream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl hyper::rt::Read for SocketStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl hyper::rt::Write for SocketStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::routing::any;
    use hwc_api::v1::Method;
    use hwc_panel_app::server::SessionToken;
    use std::future::IntoFuture;
    use tokio::net::UnixListener;

    fn request(body: Option<&str>) -> ApiRequest {
        ApiRequest {
            method: Method::Post,
            path: "/api/v1/sites".to_owned(),
            body: body.map(|json| json.as_bytes().to_vec()),
            token: SessionToken::from_cookie("sealed"),
            client: Some("192.0.2.7".to_owned()),
        }
    }

    /// Answers with what it was asked.
    async fn echo(request: axum::extract::Request) -> (http::StatusCode, String) {
        let (parts, body) = request.into_parts();
        let header = |name: &str| {
            let value = parts.headers.get(name);
            value
                .and_then(|value| value.to_str().ok())
                .unwrap_or("-")
                .to_owned()
        };
        let head = format!(
            "{} {} {} {} {}",
            parts.method,
            parts.uri.path(),
            header("authorization"),
            header(CLIENT_HEADER),
            header("content-type"),
        );
        let body = axum::body::to_bytes(body, 1000).await.expect("small");
        (
            http::StatusCode::CREATED,
            format!("{head} {}", String::from_utf8_lossy(&body)),
        )
    }

    #[tokio::test]
    async fn session_address_and_body_travel_over_the_socket() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("api.sock");
        let listener = UnixListener::bind(&path).expect("bind");
        let server = axum::serve(listener, Router::new().fallback(any(echo)));
        let socket = ApiSocket::new(path);
        let asked = async {
            // Twice: the second goes over the connection that was kept.
            let first = socket.send(request(Some("{}"))).await.expect("answered");
            let second = socket.send(request(None)).await.expect("answered");
            (first, second)
        };
        let (first, second) = tokio::select! {
            answers = asked => answers,
            _ = server.into_future() => panic!("the server ended"),
        };
        assert_eq!(first.status, 201);
        assert_eq!(
            String::from_utf8_lossy(&first.body),
            "POST /api/v1/sites Bearer sealed 192.0.2.7 application/json {}"
        );
        assert_eq!(
            String::from_utf8_lossy(&second.body),
            "POST /api/v1/sites Bearer sealed 192.0.2.7 - "
        );
    }

    #[tokio::test]
    async fn a_socket_that_is_not_there_is_an_error() {
        let socket = ApiSocket::new(PathBuf::from("/nowhere/api.sock"));
        assert!(socket.send(request(None)).await.is_err());
    }
}
