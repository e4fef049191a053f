//! Clients: one request on a connection of its own, and raw bytes.

use super::{HOST, soon};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hwc_runtime::lifecycle::Tasks;
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Result<String, String>,
}

impl Answer {
    pub fn text(&self) -> &str {
        self.body.as_deref().expect("a whole body")
    }
}

pub fn get(path: &str) -> Request<Full<Bytes>> {
    Request::builder()
        .uri(path)
        .header("host", HOST)
        .body(Full::default())
        .expect("a request")
}

pub fn post(path: &str, body: &str) -> Request<Full<Bytes>> {
    Request::builder()
        .method("POST")
        .uri(path)
        .header("host", HOST)
        .body(Full::from(body.to_owned()))
        .expect("a request")
}

/// Sends a request over a new connection and reads the whole answer.
pub async fn ask(tasks: &Tasks, address: SocketAddr, request: Request<Full<Bytes>>) -> Answer {
    let stream = TcpStream::connect(address).await.expect("a connection");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .expect("a handshake");
    tasks.spawn("client", async move {
        let _ended = connection.await;
    });
    let answer = soon(sender.send_request(request)).await.expect("an answer");
    let (parts, body) = answer.into_parts();
    let body = soon(body.collect())
        .await
        .map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned())
        .map_err(|error| error.to_string());
    Answer {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}

/// Begins a request; its answer comes later.
pub fn begin(
    tasks: &Tasks,
    address: SocketAddr,
    request: Request<Full<Bytes>>,
) -> oneshot::Receiver<Answer> {
    let (sender, receiver) = oneshot::channel();
    let own = tasks.clone();
    tasks.spawn("request", async move {
        let answer = ask(&own, address, request).await;
        let _nobody = sender.send(answer);
    });
    receiver
}

/// Reads until the answer so far has these words in it.
pub async fn read_until(stream: &mut (impl AsyncRead + Unpin), words: &str) -> String {
    let mut answer = String::new();
    let mut piece = [0; 4096];
    while !answer.contains(words) {
        let count = soon(stream.read(&mut piece)).await.expect("read");
        assert!(count > 0, "the connection ended after {answer:?}");
        answer += &String::from_utf8_lossy(&piece[..count]);
    }
    answer
}

/// Whether nothing comes for a moment.
pub async fn is_silent(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    let moment = std::time::Duration::from_millis(100);
    tokio::time::timeout(moment, stream.peek(&mut byte))
        .await
        .is_err()
}

/// A connection of HTTP/2 to a site.
pub async fn h2<B>(
    tasks: &Tasks,
    ca_pem: &str,
    address: SocketAddr,
) -> hyper::client::conn::http2::SendRequest<B>
where
    B: hyper::body::Body + Unpin + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let stream = tls(ca_pem, address, HOST, &[b"h2"]).await;
    let stream = stream.expect("a TLS connection");
    let executor = hyper_util::rt::TokioExecutor::new();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(executor, TokioIo::new(stream))
            .await
            .expect("a handshake");
    tasks.spawn("h2 client", async move {
        let _ended = connection.await;
    });
    sender
}

/// Sends bytes and reads until the other side closes.
pub async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    // The other side may close before it has read everything.
    let _closed = stream.write_all(bytes).await;
    read_to_close(&mut stream).await
}

pub async fn read_to_close(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match soon(stream.read(&mut piece)).await {
            Ok(0) | Err(_) => return String::from_utf8_lossy(&answer).into_owned(),
            Ok(count) => answer.extend_from_slice(&piece[..count]),
        }
    }
}

/// A TLS connection that trusts the test's CA; gives the stream and the names in the certificate.
pub async fn tls(
    ca_pem: &str,
    address: SocketAddr,
    name: &str,
    alpn: &[&[u8]],
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, std::io::Error> {
    use rustls::pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(rustls::pki_types::CertificateDer::from_pem_slice(ca_pem.as_bytes()).expect("PEM"))
        .expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let stream = TcpStream::connect(address).await?;
    let name = rustls::pki_types::ServerName::try_from(name.to_owned()).expect("a name");
    tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}
