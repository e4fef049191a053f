//! One visitor's connection: TLS, HTTP/2 or strict HTTP/1.1, bounded in every direction of time.

use super::body::AnswerBody;
use super::front::{Entrance, handle};
use super::stall::NoStall;
use super::strict::{RawSwitch, Strict};
use super::tls::ALPN_H2;
use crate::config::Limits;
use crate::shared::Shared;
use hwc_runtime::lifecycle::Tasks;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// Requests at one time on one HTTP/2 connection; browsers use up to 100.
const H2_STREAMS_MAX: u32 = 128;
/// Streams that a visitor may reset before we look at them (rapid reset).
const H2_PENDING_RESETS_MAX: usize = 20;
/// Streams that we may have to reset (MadeYouReset).
const H2_LOCAL_RESETS_MAX: usize = 128;
/// What a visitor may send ahead on one stream, and on a connection.
const H2_STREAM_WINDOW: u32 = 256 * 1024;
const H2_CONNECTION_WINDOW: u32 = 1024 * 1024;
/// What we hold for one stream of a visitor who reads slowly.
const H2_SEND_BUFFER: usize = 64 * 1024;
/// An HTTP/2 connection without requests is looked at, and closed, after this.
const H2_IDLE: Duration = Duration::from_secs(60);
/// Is the visitor still there?
const H2_PING_EVERY: Duration = Duration::from_secs(20);

/// Serves one connection to its end.
pub(super) async fn serve(
    shared: Arc<Shared>,
    stream: TcpStream,
    address: IpAddr,
    entrance: Entrance,
    tls: Option<TlsAcceptor>,
) {
    let limits = &shared.config.limits;
    let stream = NoStall::new(stream, limits.stall);
    let Some(acceptor) = tls else {
        return strict_http1(shared, stream, address, entrance).await;
    };
    let handshake = acceptor.accept(stream);
    let stream = match tokio::time::timeout(limits.head, handshake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::trace!(%address, %error, "no TLS"),
        Err(_late) => return tracing::trace!(%address, "no TLS in time"),
    };
    if stream.get_ref().1.alpn_protocol() == Some(ALPN_H2) {
        http2(shared, stream, address, entrance).await;
    } else {
        strict_http1(shared, stream, address, entrance).await;
    }
}

async fn strict_http1<T>(shared: Arc<Shared>, stream: T, address: IpAddr, entrance: Entrance)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let raw = RawSwitch::default();
    let stream = Strict::new(stream, raw.clone(), shared.config.limits.head_bytes);
    let for_requests = Arc::clone(&shared);
    let answer = move |request| {
        handle(
            Arc::clone(&for_requests),
            entrance,
            address,
            raw.clone(),
            request,
        )
    };
    let head = shared.config.limits.head;
    http1(&shared, stream, head, answer).await;
}

/// Serves HTTP/1.1 until the other side ends or the daemon stops.
pub(super) async fn http1<T, A, F>(shared: &Shared, stream: T, head_timeout: Duration, answer: A)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<AnswerBody>>,
{
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        // Above the strict reader's limit, which answers for it.
        .max_buf_size(buffer_bytes(&shared.config.limits));
    let service = service_fn(|request| {
        let answer = answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let connection = builder
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let stopping = shared.tasks.token();
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "connection ended");
    }
}

fn buffer_bytes(limits: &Limits) -> usize {
    (limits.head_bytes * 2).max(64 * 1024)
}

async fn http2<T>(shared: Arc<Shared>, stream: T, address: IpAddr, entrance: Entrance)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &shared.config.limits;
    let mut builder = http2::Builder::new(Spawner(shared.tasks.clone()));
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(H2_STREAMS_MAX)
        .max_pending_accept_reset_streams(H2_PENDING_RESETS_MAX)
        .max_local_error_reset_streams(H2_LOCAL_RESETS_MAX)
        .initial_stream_window_size(H2_STREAM_WINDOW)
        .initial_connection_window_size(H2_CONNECTION_WINDOW)
        .max_send_buf_size(H2_SEND_BUFFER)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(H2_PING_EVERY)
        .keep_alive_timeout(limits.stall);
    let busy = Arc::new(AtomicUsize::new(0));
    let (for_requests, counter) = (Arc::clone(&shared), Arc::clone(&busy));
    let service = service_fn(move |mut request: Request<Incoming>| {
        let working = Working::begin(&counter);
        // What ends an HTTP/1 connection only ends a stream here; 101 does not exist.
        request.extensions_mut().clear();
        let answer = handle(
            Arc::clone(&for_requests),
            entrance,
            address,
            RawSwitch::default(),
            request,
        );
        async move {
            let mut answer = answer.await;
            answer.headers_mut().remove(http::header::CONNECTION);
            drop(working);
            Ok::<_, Infallible>(answer)
        }
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let stopping = shared.tasks.token();
    let mut was_busy = true;
    let ended = loop {
        tokio::select! {
            ended = connection.as_mut() => break ended,
            () = stopping.cancelled() => {}
            () = tokio::time::sleep(H2_IDLE) => {
                let is_busy = busy.load(Ordering::SeqCst) > 0;
                if is_busy || was_busy {
                    was_busy = is_busy;
                    continue;
                }
            }
        }
        connection.as_mut().graceful_shutdown();
        break connection.await;
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "connection ended");
    }
}

/// Counts a request as being worked on.
struct Working(Arc<AtomicUsize>);

impl Working {
    fn begin(busy: &Arc<AtomicUsize>) -> Self {
        busy.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(busy))
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Lets hyper start its tasks among ours.
#[derive(Clone)]
struct Spawner(Tasks);

impl<F> hyper::rt::Executor<F> for Spawner
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.0.spawn("http/2 stream", task);
    }
}
