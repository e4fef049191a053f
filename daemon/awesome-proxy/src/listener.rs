//! Listening sockets ([`crate::sockets`]) at work: accepting, and counting who is connected, so that
//! neither one address nor all of them together take every file descriptor.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

/// Pause after an accept that failed for want of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts the next connection; never gives up on a full table of file descriptors. Cancel-safe.
pub(crate) async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Answers are written in few pieces; waiting for more only costs time.
                let _unsupported = stream.set_nodelay(true);
                return (stream, peer);
            }
            Err(error) => after_failed_accept(&error).await,
        }
    }
}

async fn after_failed_accept(error: &io::Error) {
    let has_left = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    );
    // A visitor who left while in the queue is no reason to wait.
    if !has_left {
        tracing::warn!(%error, "a connection could not be accepted");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

/// Accepts the next connection of a Unix socket. Cancel-safe.
pub(crate) async fn accept_unix(listener: &UnixListener) -> UnixStream {
    loop {
        match listener.accept().await {
            Ok((stream, _unnamed)) => return stream,
            Err(error) => after_failed_accept(&error).await,
        }
    }
}

/// Nobody is let in before the doors know the way: a daemon that has just started would say of every
/// site that there is none. Who comes earlier waits in the kernel's queue.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    routed: CancellationToken,
    ready: CancellationToken,
}

impl Admission {
    /// There is a routing table.
    pub fn routed(&self) {
        self.routed.cancel();
    }

    /// What stands behind the doors is ready.
    pub fn ready(&self) {
        self.ready.cancel();
    }

    /// Ends when both are. Cancel-safe.
    pub async fn wait(&self) {
        self.routed.cancelled().await;
        self.ready.cancelled().await;
    }
}

/// Who is connected, per address and in all.
#[derive(Debug, Clone)]
pub(crate) struct Census(Arc<Mutex<Counted>>);

#[derive(Debug)]
struct Counted {
    all_max: usize,
    per_address_max: usize,
    all: usize,
    addresses: BTreeMap<IpAddr, usize>,
}

impl Census {
    pub fn new(all_max: usize, per_address_max: usize) -> Self {
        Self(Arc::new(Mutex::new(Counted {
            all_max,
            per_address_max,
            all: 0,
            addresses: BTreeMap::new(),
        })))
    }

    /// How many there are.
    pub fn all(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).all
    }

    /// Counts a connection in; none if there are too many.
    pub fn enter(&self, address: IpAddr) -> Option<Counting> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let here = counted.addresses.get(&address).copied().unwrap_or(0);
        if counted.all >= counted.all_max || here >= counted.per_address_max {
            return None;
        }
        counted.all += 1;
        counted.addresses.insert(address, here + 1);
        Some(Counting {
            census: self.clone(),
            address,
        })
    }
}

/// One counted connection.
#[derive(Debug)]
pub(crate) struct Counting {
    census: Census,
    address: IpAddr,
}

impl Drop for Counting {
    fn drop(&mut self) {
        let mut counted = self.census.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.all = counted.all.saturating_sub(1);
        let left = counted.addresses.get(&self.address).copied().unwrap_or(0);
        if left > 1 {
            counted.addresses.insert(self.address, left - 1);
        } else {
            counted.addresses.remove(&self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_one_address_nor_all_together_take_everything() {
        let census = Census::new(3, 2);
        let (one, two) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let first = census.enter(one);
        let _second = census.enter(one).expect("within the limit");
        assert!(first.is_some() && census.enter(one).is_none());
        let _third = census.enter(two).expect("within the limit");
        assert!(census.enter(two).is_none());
        drop(first);
        assert!(census.enter(two).is_some());
    }
}
