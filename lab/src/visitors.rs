//! Visitors as browsers are: keep-alive over HTTP/1.1 and HTTP/2, all in TLS, many at once, from
//! the client's network. Every request is begun on schedule and its answer noted.
//!
//! A request that was written to a connection which the server had closed already, before a byte of
//! an answer, is sent again once if it changes nothing (GET), as every browser does; one that may
//! have been carried out (POST) never is.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use crate::deadline::Deadline;
use crate::load::enter;

/// A visitor gives up after this; the front door's own limit is shorter.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Which HTTP a stream of requests speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.1, one request at a time per connection.
    One,
    /// HTTP/2, all requests to a node over one connection.
    Two,
}

/// Requests of one kind.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What they are called.
    pub name: &'static str,
    /// The path; `{n}` becomes the request's number.
    pub path: String,
    /// What is posted, if anything; `{n}` as in the path.
    pub body: Option<String>,
    /// Requests a second.
    pub per_second: u32,
    /// Over which protocol.
    pub version: Version,
}

/// One request and what became of it.
#[derive(Debug, Clone)]
pub struct Visit {
    /// Which plan.
    pub plan: &'static str,
    /// Number within the plan, from 0.
    pub number: u64,
    /// When it began, since the beginning of all.
    pub began: Duration,
    /// When its answer was there.
    pub ended: Duration,
    /// Status and body, or what went wrong.
    pub result: Result<(u16, Bytes), String>,
}

/// Visitors at work, on a thread inside the client's network.
#[derive(Debug)]
pub struct Visitors {
    began: Deadline,
    stop: Arc<AtomicBool>,
    visits: Arc<Mutex<Vec<Visit>>>,
    thread: JoinHandle<Result<(), String>>,
}

impl Visitors {
    /// Begins to visit: each plan's requests go to the nodes in turn.
    #[must_use]
    pub fn start(namespace: &Path, nodes: &[Ipv4Addr], host: &str, plans: &[Plan]) -> Self {
        let began = Deadline::after(Duration::MAX);
        let stop = Arc::new(AtomicBool::new(false));
        let visits: Arc<Mutex<Vec<Visit>>> = Arc::default();
        let crew = Crew {
            began,
            namespace: namespace.to_owned(),
            nodes: nodes.to_vec(),
            host: host.to_owned(),
            plans: plans.to_vec(),
            stop: Arc::clone(&stop),
            visits: Arc::clone(&visits),
        };
        Self {
            began,
            stop,
            visits,
            thread: std::thread::spawn(move || crew.work().map_err(|error| error.to_string())),
        }
    }

    /// The time since the beginning of all.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// How many visits have ended.
    #[must_use]
    pub fn count(&self) -> usize {
        self.visits
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Stops visiting, waits for the answers that are due, returns all visits.
    ///
    /// # Errors
    /// When the thread could not work at all.
    pub fn finish(self) -> Result<Vec<Visit>, String> {
        self.stop.store(true, Ordering::SeqCst);
        self.thread
            .join()
            .map_err(|_panic| "the visitors' thread panicked".to_owned())??;
        let visits = self.visits.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(visits.clone())
    }
}

struct Crew {
    began: Deadline,
    namespace: PathBuf,
    nodes: Vec<Ipv4Addr>,
    host: String,
    plans: Vec<Plan>,
    stop: Arc<AtomicBool>,
    visits: Arc<Mutex<Vec<Visit>>>,
}

impl Crew {
    fn work(self) -> std::io::Result<()> {
        enter(&self.namespace)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(self.visit_all());
        Ok(())
    }

    async fn visit_all(self) {
        let began = self.began;
        let doors: Arc<Vec<Arc<Door>>> = Arc::new(
            self.nodes
                .iter()
                .map(|node| Arc::new(Door::new(*node, &self.host)))
                .collect(),
        );
        let mut schedules = JoinSet::new();
        for plan in self.plans {
            let (doors, stop) = (Arc::clone(&doors), Arc::clone(&self.stop));
            let visits = Arc::clone(&self.visits);
            schedules.spawn(async move {
                let mut asking = JoinSet::new();
                let pause = Duration::from_secs(1) / plan.per_second.max(1);
                for number in 0.. {
                    let due = pause.saturating_mul(u32::try_from(number).unwrap_or(u32::MAX));
                    tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let turn = usize::try_from(number).unwrap_or_default() % doors.len().max(1);
                    let Some(door) = doors.get(turn).cloned() else {
                        break;
                    };
                    let (plan, visits) = (plan.clone(), Arc::clone(&visits));
                    asking.spawn(async move {
                        let start = began.elapsed();
                        let asked = door.ask(&plan, number);
                        let result = match tokio::time::timeout(ANSWER_LIMIT, asked).await {
                            Ok(result) => result,
                            Err(_) => Err("no answer in time".to_owned()),
                        };
                        let visit = Visit {
                            plan: plan.name,
                            number,
                            began: start,
                            ended: began.elapsed(),
                            result,
                        };
                        visits
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(visit);
                    });
                    while asking.try_join_next().is_some() {}
                }
                while asking.join_next().await.is_some() {}
            });
        }
        while schedules.join_next().await.is_some() {}
    }
}

/// The connections to one node.
struct Door {
    address: SocketAddr,
    host: String,
    tls: TlsConnector,
    tls2: TlsConnector,
    idle: Mutex<VecDeque<http1::SendRequest<Full<Bytes>>>>,
    shared: tokio::sync::Mutex<Option<http2::SendRequest<Full<Bytes>>>>,
    connections: Mutex<JoinSet<()>>,
}

/// How an attempt failed.
enum Failed {
    /// Before anything of an answer came, on a connection that was used before.
    Stale(String),
    /// Otherwise.
    Really(String),
}

type Answer = Result<(u16, Bytes), Failed>;

impl Door {
    fn new(node: Ipv4Addr, host: &str) -> Self {
        Self {
            address: SocketAddr::from((node, 443)),
            host: host.to_owned(),
            tls: connector(b"http/1.1"),
            tls2: connector(b"h2"),
            idle: Mutex::default(),
            shared: tokio::sync::Mutex::default(),
            connections: Mutex::default(),
        }
    }

    async fn ask(&self, plan: &Plan, number: u64) -> Result<(u16, Bytes), String> {
        let once = || async {
            match plan.version {
                Version::One => self.ask_one(plan, number).await,
                Version::Two => self.ask_two(plan, number).await,
            }
        };
        match once().await {
            Ok(answer) => Ok(answer),
            Err(Failed::Stale(_)) if plan.body.is_none() => match once().await {
                Ok(answer) => Ok(answer),
                Err(Failed::Stale(error) | Failed::Really(error)) => Err(error),
            },
            Err(Failed::Stale(error) | Failed::Really(error)) => Err(error),
        }
    }

    async fn ask_one(&self, plan: &Plan, number: u64) -> Answer {
        let idle = loop {
            let next = self.lock_idle().pop_front();
            match next {
                Some(sender) if sender.is_closed() => {}
                next => break next,
            }
        };
        let is_used = idle.is_some();
        let mut sender = match idle {
            Some(sender) => sender,
            None => self.connect_one().await.map_err(Failed::Really)?,
        };
        let stale = |error: hyper::Error| failed(&error, is_used);
        sender.ready().await.map_err(stale)?;
        let request = self.request(plan, number, false);
        let answer = sender.send_request(request).await.map_err(stale)?;
        let answer = read(answer).await?;
        self.lock_idle().push_back(sender);
        Ok(answer)
    }

    async fn ask_two(&self, plan: &Plan, number: u64) -> Answer {
        let (mut sender, is_used) = {
            let mut shared = self.shared.lock().await;
            match shared.as_ref().filter(|sender| !sender.is_closed()) {
                Some(sender) => (sender.clone(), true),
                None => {
                    let sender = self.connect_two().await.map_err(Failed::Really)?;
                    *shared = Some(sender.clone());
                    (sender, false)
                }
            }
        };
        let stale = |error: hyper::Error| failed(&error, is_used);
        sender.ready().await.map_err(stale)?;
        let request = self.request(plan, number, true);
        let answer = sender.send_request(request).await.map_err(stale)?;
        read(answer).await
    }

    fn request(&self, plan: &Plan, number: u64, is_two: bool) -> Request<Full<Bytes>> {
        let text = |template: &str| template.replace("{n}", &number.to_string());
        let path = text(&plan.path);
        let uri = if is_two {
            format!("https://{}{path}", self.host)
        } else {
            path
        };
        let mut request = Request::builder().uri(uri);
        if !is_two {
            request = request.header("host", &self.host);
        }
        let body = plan.body.as_deref().map(text);
        if body.is_some() {
            request = request
                .method(Method::POST)
                .header("content-type", "application/x-www-form-urlencoded");
        }
        let body = Full::new(Bytes::from(body.unwrap_or_default()));
        // Paths and hosts are this program's own: they always parse.
        request.body(body).unwrap_or_default()
    }

    async fn connect_one(&self) -> Result<http1::SendRequest<Full<Bytes>>, String> {
        let stream = self.connect(&self.tls).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        self.keep(async move {
            let _ended = connection.await;
        });
        Ok(sender)
    }

    async fn connect_two(&self) -> Result<http2::SendRequest<Full<Bytes>>, String> {
        let stream = self.connect(&self.tls2).await?;
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        self.keep(async move {
            let _ended = connection.await;
        });
        Ok(sender)
    }

    async fn connect(
        &self,
        tls: &TlsConnector,
    ) -> Result<tokio_rustls::client::TlsStream<TcpStream>, String> {
        let stream = TcpStream::connect(self.address)
            .await
            .map_err(|error| format!("connect: {error}"))?;
        stream
            .set_nodelay(true)
            .map_err(|error| error.to_string())?;
        let name = ServerName::try_from(self.host.clone()).map_err(|error| error.to_string())?;
        tls.connect(name, stream)
            .await
            .map_err(|error| format!("TLS: {error}"))
    }

    fn keep(&self, connection: impl Future<Output = ()> + Send + 'static) {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .spawn(connection);
    }

    fn lock_idle(&self) -> std::sync::MutexGuard<'_, VecDeque<http1::SendRequest<Full<Bytes>>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the server had closed the connection before it saw the request.
fn failed(error: &hyper::Error, is_used: bool) -> Failed {
    let text = error.to_string();
    let never_seen = error.is_canceled() || error.is_closed() || error.is_incomplete_message();
    if is_used && never_seen {
        Failed::Stale(text)
    } else {
        Failed::Really(text)
    }
}

async fn read(answer: Response<hyper::body::Incoming>) -> Answer {
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await;
    let body = body.map_err(|error| Failed::Really(format!("the answer broke off: {error}")))?;
    Ok((status, body.to_bytes()))
}

fn connector(protocol: &[u8]) -> TlsConnector {
    let mut config = ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    TlsConnector::from(Arc::new(config))
}

/// The lab's certificates are the cluster's own: what is measured here is not trust.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
