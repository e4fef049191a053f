//! A port of this machine that leads to whichever node answers: the panel stays reachable while nodes die.
//!
//! The helper ([`run`]) gets the listening socket as its standard input and opens connections from
//! the client's namespace, one thread per direction. A node that did not answer is tried last for a while.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{setsockopt, sockopt};

use crate::deadline;
use crate::error::{Error, FileContext, Result};
use crate::helper;
use crate::names;

/// A healthy node answers within a millisecond; a delayed cable may take a second.
const CONNECT_LIMIT: Duration = Duration::from_millis(1500);
/// How long a node that did not answer is tried last.
const DISTRUST: Duration = Duration::from_secs(5);
/// More connections than a browser and a test need; each costs two threads.
const CONNECTIONS_MAX: usize = 512;
/// A node that vanished without a word is noticed after about ten seconds of silence.
const KEEPALIVE_IDLE_SECONDS: u32 = 4;
const KEEPALIVE_INTERVAL_SECONDS: u32 = 2;
const KEEPALIVE_PROBES: u32 = 3;
const UNACKNOWLEDGED_MS: u32 = 10_000;

/// Where a forward leads: `n1,n2:8443`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Targets {
    /// The members, in the order in which they are tried.
    pub members: Vec<String>,
    /// The port on them.
    pub port: u16,
}

impl std::str::FromStr for Targets {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::Input(format!("{text:?} is no target: write it as n1,n2,n3:8443"));
        let (members, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let members = names::parse_members([members]);
        let port = port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(wrong)?;
        if members.is_empty() {
            Err(wrong())
        } else {
            Ok(Self { members, port })
        }
    }
}

/// Opens a port on this machine.
///
/// # Errors
/// When it is taken.
pub(crate) fn listen(port: u16) -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|source| {
        if source.kind() == std::io::ErrorKind::AddrInUse {
            return Error::PortTaken { port };
        }
        Error::System {
            what: format!("listen on 127.0.0.1:{port}"),
            source,
        }
    })
}

/// The helper: serves the listener on standard input until it is killed.
///
/// # Errors
/// When standard input is no listening socket or the namespace is gone.
pub fn run(namespace: &Path, targets: &[SocketAddrV4]) -> Result<()> {
    let listener: OwnedFd = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .file("take over", "standard input")?;
    let listener = TcpListener::from(listener);
    let choice = Arc::new(Choice {
        namespace: File::open(namespace).file("open", namespace)?,
        targets: targets.iter().copied().map(SocketAddr::V4).collect(),
        distrusted: Mutex::default(),
    });
    let open = Arc::new(AtomicUsize::new(0));
    helper::say_ready();
    loop {
        let (visitor, _) = listener.accept().file("accept on", "standard input")?;
        if open.fetch_add(1, Ordering::SeqCst) >= CONNECTIONS_MAX {
            open.fetch_sub(1, Ordering::SeqCst);
            continue;
        }
        let (choice, open) = (Arc::clone(&choice), Arc::clone(&open));
        std::thread::spawn(move || {
            if let Some(node) = choice.connect() {
                carry(&visitor, &node);
            }
            open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

/// Which node is connected to.
struct Choice {
    namespace: File,
    targets: Vec<SocketAddr>,
    distrusted: Mutex<BTreeMap<SocketAddr, Instant>>,
}

impl Choice {
    /// The first node that accepts. Moves the calling thread into the lab's network.
    fn connect(&self) -> Option<TcpStream> {
        setns(&self.namespace, CloneFlags::CLONE_NEWNET).ok()?;
        let now = deadline::now();
        let order = {
            let mut distrusted = self
                .distrusted
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            distrusted.retain(|_, since| now.duration_since(*since) < DISTRUST);
            order(&self.targets, |target| distrusted.contains_key(target))
        };
        for target in order {
            match TcpStream::connect_timeout(&target, CONNECT_LIMIT) {
                Ok(stream) => {
                    notice_silence(&stream);
                    return Some(stream);
                }
                Err(_) => {
                    self.distrusted
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert(target, deadline::now());
                }
            }
        }
        None
    }
}

/// All targets, those that are distrusted at the end.
fn order(targets: &[SocketAddr], is_distrusted: impl Fn(&SocketAddr) -> bool) -> Vec<SocketAddr> {
    let (last, mut first): (Vec<SocketAddr>, Vec<SocketAddr>) =
        targets.iter().copied().partition(is_distrusted);
    first.extend(last);
    first
}

/// Options that end a connection to a node that is gone. Without them it would still end, later.
fn notice_silence(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let _ = setsockopt(stream, sockopt::KeepAlive, &true);
    let _ = setsockopt(stream, sockopt::TcpKeepIdle, &KEEPALIVE_IDLE_SECONDS);
    let _ = setsockopt(
        stream,
        sockopt::TcpKeepInterval,
        &KEEPALIVE_INTERVAL_SECONDS,
    );
    let _ = setsockopt(stream, sockopt::TcpKeepCount, &KEEPALIVE_PROBES);
    let _ = setsockopt(stream, sockopt::TcpUserTimeout, &UNACKNOWLEDGED_MS);
}

/// Both directions, until both have ended.
fn carry(visitor: &TcpStream, node: &TcpStream) {
    let _ = visitor.set_nodelay(true);
    std::thread::scope(|scope| {
        scope.spawn(|| copy(visitor, node));
        copy(node, visitor);
    });
}

/// Copies one direction; its end is passed on as such, a failure ends both.
fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    let mut buffer = [0; 32 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => {
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
            Ok(length) if to.write_all(&buffer[..length]).is_ok() => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Ok(_) | Err(_) => {
                let _ = from.shutdown(Shutdown::Both);
                let _ = to.shutdown(Shutdown::Both);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_members_and_a_port() {
        let targets: Targets = "n1,n2:8443".parse().unwrap();
        assert_eq!(
            targets,
            Targets {
                members: vec!["n1".into(), "n2".into()],
                port: 8443
            }
        );
        for wrong in ["n1", ":80", "n1:", "n1:0", "n1:70000", ",:80"] {
            assert!(wrong.parse::<Targets>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn distrusted_nodes_are_tried_last() {
        let address = |last| SocketAddr::from(([10, 77, 0, last], 80));
        let targets = [address(11), address(12), address(13)];
        let ordered = order(&targets, |target| *target == address(11));
        assert_eq!(ordered, [address(12), address(13), address(11)]);
    }

    #[test]
    fn a_taken_port_is_named() {
        let first = listen(0).unwrap();
        let port = first.local_addr().unwrap().port();
        let error = listen(port).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("port taken: 127.0.0.1:{port}")),
            "{error}"
        );
    }
}
