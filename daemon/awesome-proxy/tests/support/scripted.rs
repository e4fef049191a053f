//! A web server that says what it is told to, byte for byte, and remembers what it heard.

use hwc_runtime::lifecycle::Tasks;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone)]
pub struct Scripted {
    pub address: SocketAddr,
    state: Arc<State>,
}

struct State {
    answer: Vec<u8>,
    last: Mutex<String>,
    connections: AtomicUsize,
    closes: AtomicBool,
}

impl Scripted {
    /// Gives the same answer to every request, as soon as its head is whole, or its chunked body.
    pub async fn start(tasks: &Tasks, answer: &str) -> Self {
        let state = Arc::new(State {
            answer: answer.as_bytes().to_vec(),
            last: Mutex::default(),
            connections: AtomicUsize::new(0),
            closes: AtomicBool::new(false),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (serving, own) = (Arc::clone(&state), tasks.clone());
        tasks.spawn_until_stopped("scripted", async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                serving.connections.fetch_add(1, Ordering::SeqCst);
                let serving = Arc::clone(&serving);
                own.spawn_until_stopped("scripted connection", async move {
                    let _closed = serve(stream, &serving).await;
                });
            }
        });
        Self { address, state }
    }

    /// Closes each connection after its first answer from now on, without saying so.
    pub fn close_after_each(&self) {
        self.state.closes.store(true, Ordering::SeqCst);
    }

    pub fn last_request(&self) -> String {
        self.state.last.lock().expect("whole").clone()
    }

    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }
}

async fn serve(mut stream: TcpStream, state: &State) -> std::io::Result<()> {
    let mut request = Vec::new();
    loop {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&request).into_owned();
        let is_whole = if text.contains("transfer-encoding: chunked") {
            text.contains("\r\n0\r\n") && text.ends_with("\r\n\r\n")
        } else {
            text.contains("\r\n\r\n")
        };
        if !is_whole {
            continue;
        }
        *state.last.lock().expect("whole") = text;
        request.clear();
        stream.write_all(&state.answer).await?;
        let answer = String::from_utf8_lossy(&state.answer).to_lowercase();
        if answer.contains("connection: close") || state.closes.load(Ordering::SeqCst) {
            return Ok(());
        }
    }
}
