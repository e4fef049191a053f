//! Listening sockets: opening them with errors that say what to do, accepting, and counting who is
//! connected, so that neither one address nor all of them together take every file descriptor.

use crate::proxy::StartError;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};

/// Connections that the kernel holds for us until we accept them: a burst of one second.
const BACKLOG: u32 = 4_096;
/// Pause after an accept that failed for want of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Opens a TCP port.
pub(crate) fn listen(
    address: SocketAddr,
    purpose: &'static str,
) -> Result<TcpListener, StartError> {
    let open = || {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        // Connections of the daemon before us may linger; they must not keep us out.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    open().map_err(|source| {
        if source.kind() == io::ErrorKind::AddrInUse {
            return StartError::PortTaken { address, purpose };
        }
        StartError::Listen {
            address,
            purpose,
            source,
        }
    })
}

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

/// A listening Unix socket that everyone on the machine may open; removed when dropped.
#[derive(Debug)]
pub(crate) struct PublicSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl PublicSocket {
    /// Opens it; removes what a dead process left under the name, never what a living one serves.
    pub fn listen(path: &Path) -> Result<Self, StartError> {
        let failed = |source| StartError::Socket {
            path: path.to_owned(),
            source,
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        match std::fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
            Ok(metadata) => {
                let is_stale = metadata.file_type().is_socket()
                    && std::os::unix::net::UnixStream::connect(path).is_err();
                if !is_stale {
                    return Err(StartError::SocketTaken {
                        path: path.to_owned(),
                    });
                }
                std::fs::remove_file(path).map_err(failed)?;
            }
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).map_err(failed)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
        })
    }

    /// Accepts the next connection. Cancel-safe.
    pub async fn accept(&self) -> UnixStream {
        loop {
            match self.listener.accept().await {
                Ok((stream, _unnamed)) => return stream,
                Err(error) => after_failed_accept(&error).await,
            }
        }
    }
}

impl Drop for PublicSocket {
    fn drop(&mut self) {
        // Gone already is as good.
        let _absent = std::fs::remove_file(&self.path);
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

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_living_one_is_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.sock");
        let stale = std::os::unix::net::UnixListener::bind(&path).expect("bound");
        let refused = PublicSocket::listen(&path).expect_err("somebody serves it");
        assert!(
            matches!(refused, StartError::SocketTaken { .. }),
            "{refused}"
        );
        drop(stale);
        let ours = PublicSocket::listen(&path).expect("stale");
        let mode = std::fs::metadata(&path)
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o666);
        drop(ours);
        std::fs::write(&path, "precious").expect("written");
        assert!(PublicSocket::listen(&path).is_err());
        assert!(path.exists());
    }
}
