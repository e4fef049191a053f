//! A restart, as the front doors see it: the old process gives way to a new one, and visitors'
//! connections that are open in the old one stay open.
//!
//! # What becomes of whom when the daemon is restarted
//!
//! ([`AwesomeProxy::linger`]: listeners close here, their queues are the next process's; everything
//! else of the node has ended.)
//!
//! | who | fate | bound |
//! | --- | --- | --- |
//! | a new connection | waits in the kernel's queue until the next process takes it | the kernel's queue, the visitor's patience |
//! | an idle connection of HTTP/1.1 | stays; its next request is brought to the next process, and its answer says `Connection: close` | `Limits::head` without a request |
//! | a connection of HTTP/2 | stays; its requests are brought to the next process; once that one takes requests, GOAWAY sends the visitor there | the lingering |
//! | a request that waits | goes on waiting, its body unread, for the next process, then there | `Limits::wait` at each, the waiting room |
//! | a request at work on another node | goes on; its answer is passed on as it comes | the lingering |
//! | a request at work on this node | as when its site is moved: [`crate::gates`] | `Limits::drain` |
//! | a download that the services are done with | goes on | the lingering |
//! | a WebSocket | is told to come back (close code 1012), and ends | at once |
//! | a connection of the process before this one | is closed when nothing is under way on it; that process goes to the next one | the request that is under way |
//! | a MySQL session of this door | ends: its clients are programs of this node's sites, which have ended | at once |
//! | a MySQL session of another node's door | stays there, as at a move | `Limits::drain` |
//! | whoever is left at the lingering's end, or when this process is told to end | what is idle is closed, what is under way may end, the rest is cut | two seconds |
//!
//! A request is brought over a Unix socket that only root may open, together with who the visitor is
//! (`http::origin`); the next process treats it as if the visitor stood at its own door. What may
//! have an effect is held back there as between nodes, so that nothing is done twice.
//!
//! [`AwesomeProxy::linger`]: crate::AwesomeProxy::linger

use crate::shared::Shared;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

/// Between two looks for the next process, and for visitors who are left.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Until visitors who must go have taken their last answer.
const GOODBYE: Duration = Duration::from_secs(2);
/// The first bytes that the next process sends: it takes requests, and understands ours.
const GREETING: [u8; 8] = *b"hwcdoor1";

/// How far the succession is.
#[derive(Debug, Default)]
pub(crate) struct Succession {
    /// This process gives way.
    begun: CancellationToken,
    /// The next one takes requests.
    heir: CancellationToken,
    /// There will be none.
    hopeless: CancellationToken,
    socket: OnceLock<PathBuf>,
}

impl Succession {
    fn begin(&self, socket: PathBuf) {
        let _begun_before = self.socket.set(socket);
        self.begun.cancel();
    }

    /// Whether this process gives way.
    pub fn is_begun(&self) -> bool {
        self.begun.is_cancelled()
    }

    /// Ends when this process begins to give way. Cancel-safe.
    pub async fn begun(&self) {
        self.begun.cancelled().await;
    }

    /// Ends when the next process takes requests. Cancel-safe.
    pub async fn heir(&self) {
        self.heir.cancelled().await;
    }

    /// Ends when it is clear that no process follows. Cancel-safe.
    pub async fn hopeless(&self) {
        self.hopeless.cancelled().await;
    }

    /// Opens a connection to the next process, once that takes requests.
    pub async fn connect(&self) -> io::Result<UnixStream> {
        let socket = self.socket.get().ok_or(io::ErrorKind::NotConnected)?;
        let mut stream = UnixStream::connect(socket).await?;
        hear_greeting(&mut stream).await?;
        Ok(stream)
    }

    /// Looks for the next process. False when there is none.
    async fn find(&self, socket: &Path, limit: Duration) -> bool {
        loop {
            let reaching = async {
                loop {
                    match UnixStream::connect(socket).await {
                        Ok(stream) => return stream,
                        Err(_) => tokio::time::sleep(LOOK_AGAIN).await,
                    }
                }
            };
            let Ok(mut stream) = tokio::time::timeout(limit, reaching).await else {
                return false;
            };
            // It may die before it is ready; then there may be another.
            if hear_greeting(&mut stream).await.is_ok() {
                return true;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

async fn hear_greeting(stream: &mut UnixStream) -> io::Result<()> {
    let mut heard = [0; GREETING.len()];
    stream.read_exact(&mut heard).await?;
    if heard == GREETING {
        return Ok(());
    }
    Err(io::Error::other("the next daemon speaks otherwise"))
}

/// Greets the process before us.
pub(crate) async fn greet(stream: &mut UnixStream) -> io::Result<()> {
    stream.write_all(&GREETING).await
}

/// Visitors' connections of a process that gives way; everything else of its doors has ended.
#[must_use = "visitors are served only while it is waited for"]
pub struct Lingering {
    shared: Arc<Shared>,
    socket: PathBuf,
}

impl Lingering {
    pub(crate) fn begin(shared: &Arc<Shared>, socket: PathBuf) -> Self {
        shared.succession.begin(socket.clone());
        Self {
            shared: Arc::clone(shared),
            socket,
        }
    }

    /// How many connections are left.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.all()
    }

    /// Serves visitors until the last one has left, it is clear that no process follows, or `told`
    /// ends because somebody wants it to, at most for `limit`. Then who waits for nothing is left,
    /// what is under way may end for a moment, and the rest is cut. Returns how many were left.
    pub async fn last(self, limit: Duration, told: impl Future<Output = ()>) -> usize {
        let succession = &self.shared.succession;
        let patience = self.shared.config.limits.successor;
        let find = async {
            if succession.find(&self.socket, patience).await {
                tracing::info!("the next daemon takes requests");
                succession.heir.cancel();
                std::future::pending::<()>().await;
            }
        };
        let gone = async {
            while self.connections() > 0 {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        tokio::select! {
            () = gone => {}
            () = find => tracing::info!("no daemon follows"),
            () = tokio::time::sleep(limit) => {}
            () = told => tracing::info!("told to end"),
        }
        let left = self.connections();
        // Where one follows, it has the answers for what is under way.
        if !succession.heir.is_cancelled() {
            succession.hopeless.cancel();
        }
        self.shared.visitors.stop(GOODBYE).await;
        left
    }
}

impl std::fmt::Debug for Lingering {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lingering")
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}
