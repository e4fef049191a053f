//! Upstreams of tests: a web server that says who it is, counts, waits when told to, and echoes
//! WebSockets.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{any, get};
use hwc_runtime::lifecycle::Tasks;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// A running upstream.
#[derive(Clone)]
pub struct Origin {
    pub address: SocketAddr,
    state: Arc<Inner>,
}

struct Inner {
    name: &'static str,
    hits: AtomicUsize,
    posts: AtomicUsize,
    /// Bodies of the requests to `/count` that were carried out, each as often as that was.
    counted: Mutex<BTreeMap<String, usize>>,
    /// A permit lets one request to `/hold` go on.
    held: Semaphore,
}

impl Origin {
    pub async fn start(tasks: &Tasks, name: &'static str) -> Self {
        Self::start_at(tasks, name, ([127, 0, 0, 1], 0).into()).await
    }

    pub async fn start_at(tasks: &Tasks, name: &'static str, address: SocketAddr) -> Self {
        let state = Arc::new(Inner {
            name,
            hits: AtomicUsize::new(0),
            posts: AtomicUsize::new(0),
            counted: Mutex::default(),
            held: Semaphore::new(0),
        });
        let router = Router::new()
            .route("/hold", any(hold))
            .route("/halves", get(halves))
            .route("/count", any(count))
            .route("/mirror", any(mirror))
            .route("/endless", get(endless))
            .route("/large", any(large))
            .route("/ws", get(websocket))
            .fallback(any(echo))
            .with_state(Arc::clone(&state));
        let listener = TcpListener::bind(address).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tasks.spawn_until_stopped("origin", async move {
            axum::serve(listener, router).await.expect("served");
        });
        Self { address, state }
    }

    pub fn hits(&self) -> usize {
        self.state.hits.load(Ordering::SeqCst)
    }

    pub fn posts(&self) -> usize {
        self.state.posts.load(Ordering::SeqCst)
    }

    /// How often each body was carried out at `/count`.
    pub fn counted(&self) -> BTreeMap<String, usize> {
        self.state.counted.lock().expect("whole").clone()
    }

    pub fn let_go(&self, count: usize) {
        self.state.held.add_permits(count);
    }
}

/// Answers with its name and everything that it was sent.
async fn echo(State(state): State<Arc<Inner>>, request: Request) -> impl IntoResponse {
    state.hits.fetch_add(1, Ordering::SeqCst);
    let mut text = format!("{} {} {}\n", state.name, request.method(), request.uri());
    let is_post = request.method() == "POST";
    let (parts, body) = request.into_parts();
    for (name, value) in &parts.headers {
        text += &format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()));
    }
    match axum::body::to_bytes(body, usize::MAX).await {
        Ok(body) => text += &format!("\n{}", String::from_utf8_lossy(&body)),
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()),
    }
    if is_post {
        state.posts.fetch_add(1, Ordering::SeqCst);
    }
    (StatusCode::OK, text)
}

/// Answers when it is let go.
async fn hold(State(state): State<Arc<Inner>>, request: Request) -> String {
    state.hits.fetch_add(1, Ordering::SeqCst);
    if request.method() == "POST" {
        state.posts.fetch_add(1, Ordering::SeqCst);
    }
    state.held.acquire().await.expect("open").forget();
    state.name.to_owned()
}

/// Answers the first half at once, the second when it is let go.
async fn halves(State(state): State<Arc<Inner>>) -> Response<Body> {
    state.hits.fetch_add(1, Ordering::SeqCst);
    let name = state.name;
    let second = async move {
        state.held.acquire().await.expect("open").forget();
        Ok::<_, std::io::Error>(Bytes::from(" and second"))
    };
    let first = futures::future::ready(Ok(Bytes::from(format!("{name}: first"))));
    let stream =
        futures::StreamExt::chain(futures::stream::once(first), futures::stream::once(second));
    Response::new(Body::from_stream(stream))
}

/// Counts the body, as a form does that writes a row.
async fn count(State(state): State<Arc<Inner>>, body: String) -> String {
    let mut counted = state.counted.lock().expect("whole");
    *counted.entry(body.clone()).or_default() += 1;
    body
}

/// Answers every piece of the body as it comes.
async fn mirror(request: Request) -> Response<Body> {
    Response::new(request.into_body())
}

/// Answers without an end, as fast as it is taken.
async fn endless(State(state): State<Arc<Inner>>) -> Response<Body> {
    state.hits.fetch_add(1, Ordering::SeqCst);
    let piece = Bytes::from(vec![b'x'; 16 * 1024]);
    let pieces = futures::stream::repeat_with(move || Ok::<_, std::io::Error>(piece.clone()));
    Response::new(Body::from_stream(pieces))
}

/// Bytes of `/large`.
pub const LARGE: usize = 300_000;

/// Answers with a body of a known length, once it has the whole request.
async fn large(_: Bytes) -> Bytes {
    Bytes::from(vec![b'x'; LARGE])
}

async fn websocket(upgrade: WebSocketUpgrade) -> impl IntoResponse {
    upgrade.on_upgrade(|mut socket| async move {
        while let Some(Ok(message)) = socket.recv().await {
            if let Message::Text(text) = message {
                let answer = Message::text(format!("echo {text}"));
                if socket.send(answer).await.is_err() {
                    return;
                }
            }
        }
    })
}
