//! A steady stream of HTTP requests from the client's network, every answer noted.
//!
//! Open loop: requests begin on schedule whether or not earlier ones were answered, as visitors do.
//! Plain threads, each inside the client's network namespace; a few dozen requests a second.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sched::{CloneFlags, setns};

use crate::deadline::Deadline;

/// A visitor gives up after this; the front door's own limit is shorter.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// Longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Where requests go.
#[derive(Debug, Clone)]
pub struct Target {
    /// The client's network namespace.
    pub namespace: std::path::PathBuf,
    /// The node that is asked.
    pub node: Ipv4Addr,
    /// The site's domain.
    pub host: String,
}

/// One request and what became of it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Which stream of requests.
    pub stream: &'static str,
    /// Number within the stream, from 0.
    pub number: u64,
    /// When it began, since the beginning of the load.
    pub began: Duration,
    /// When its answer was there.
    pub ended: Duration,
    /// The status, or what went wrong.
    pub result: Result<u16, String>,
    /// The body, for streams that asked to keep it.
    pub body: String,
}

/// Requests of one kind.
#[derive(Debug, Clone)]
pub struct Stream {
    /// What it is called.
    pub name: &'static str,
    /// The path; `{n}` becomes the request's number.
    pub path: String,
    /// Requests a second.
    pub per_second: u32,
}

/// A running load.
#[derive(Debug)]
pub struct Load {
    began: Deadline,
    stop: Arc<AtomicBool>,
    answers: Arc<Mutex<Vec<Answer>>>,
    streams: Vec<JoinHandle<()>>,
}

impl Load {
    /// Begins to ask.
    #[must_use]
    pub fn start(target: &Target, streams: &[Stream]) -> Self {
        let load = Self {
            began: Deadline::after(Duration::MAX),
            stop: Arc::default(),
            answers: Arc::default(),
            streams: Vec::new(),
        };
        let threads = streams
            .iter()
            .map(|stream| load.spawn(target.clone(), stream.clone()));
        Self {
            streams: threads.collect(),
            ..load
        }
    }

    /// Time since the load began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The answers so far.
    #[must_use]
    pub fn answers(&self) -> Vec<Answer> {
        self.answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Stops asking, waits for the answers that are due, returns all.
    #[must_use]
    pub fn finish(mut self) -> Vec<Answer> {
        self.stop.store(true, Ordering::SeqCst);
        for stream in std::mem::take(&mut self.streams) {
            // A thread that panicked has no answers left to give.
            let _ended = stream.join();
        }
        self.answers()
    }

    fn spawn(&self, target: Target, stream: Stream) -> JoinHandle<()> {
        let (began, stop) = (self.began, Arc::clone(&self.stop));
        let answers = Arc::clone(&self.answers);
        thread::spawn(move || {
            let pause = Duration::from_secs(1) / stream.per_second.max(1);
            let mut asking = Vec::new();
            for number in 0.. {
                let due = pause.saturating_mul(u32::try_from(number).unwrap_or(u32::MAX));
                thread::sleep(due.saturating_sub(began.elapsed()));
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let (target, answers) = (target.clone(), Arc::clone(&answers));
                let path = stream.path.replace("{n}", &number.to_string());
                let name = stream.name;
                asking.push(thread::spawn(move || {
                    let start = began.elapsed();
                    let (result, body) = match get(&target, &path) {
                        Ok((status, body)) => (Ok(status), body),
                        Err(error) => (Err(error.to_string()), String::new()),
                    };
                    let answer = Answer {
                        stream: name,
                        number,
                        began: start,
                        ended: began.elapsed(),
                        result,
                        body,
                    };
                    answers
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(answer);
                }));
                asking.retain(|thread| !thread.is_finished());
            }
            for thread in asking {
                let _ended = thread.join();
            }
        })
    }
}

/// Asks once, from inside the client's network.
///
/// # Errors
/// When nothing, or no HTTP, came back in time.
pub fn get(target: &Target, path: &str) -> io::Result<(u16, String)> {
    enter(&target.namespace)?;
    let address = SocketAddr::from((target.node, 80));
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_LIMIT)?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    stream.set_write_timeout(Some(ANSWER_LIMIT))?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        target.host
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    let no_http = || io::Error::new(io::ErrorKind::InvalidData, "no HTTP answer");
    let status = text
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .ok_or_else(no_http)?;
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, body.to_owned()))
}

/// Moves this thread into a network namespace.
///
/// # Errors
/// When there is none, or this program may not.
pub fn enter(namespace: &Path) -> io::Result<()> {
    setns(File::open(namespace)?, CloneFlags::CLONE_NEWNET).map_err(io::Error::from)
}
