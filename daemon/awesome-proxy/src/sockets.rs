//! The sockets that the front doors listen on: opened anew, or taken over from the daemon before us,
//! with whoever waits in their queues.

use crate::config::ProxyConfig;
use crate::proxy::StartError;
use std::fmt;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// What a socket is for. Its name is what it is kept under between two daemons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doorway {
    /// Plain HTTP.
    Http,
    /// HTTPS by SNI.
    Https,
    /// The panel and the API.
    Panel,
    /// MySQL over TCP.
    MysqlTcp,
    /// MySQL over a Unix socket.
    MysqlSocket,
}

impl Doorway {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Http,
        Self::Https,
        Self::Panel,
        Self::MysqlTcp,
        Self::MysqlSocket,
    ];

    /// The name that a socket is kept under.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Panel => "panel",
            Self::MysqlTcp => "mysql-tcp",
            Self::MysqlSocket => "mysql-socket",
        }
    }

    const fn purpose(self) -> &'static str {
        match self {
            Self::Http => "plain HTTP",
            Self::Https => "HTTPS",
            Self::Panel => "the panel",
            Self::MysqlTcp | Self::MysqlSocket => "MySQL",
        }
    }
}

impl fmt::Display for Doorway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The sockets of all doors, listening.
#[derive(Debug)]
pub struct Sockets {
    pub(crate) http: TcpListener,
    pub(crate) https: TcpListener,
    pub(crate) panel: TcpListener,
    pub(crate) mysql_tcp: TcpListener,
    pub(crate) mysql_socket: UnixListener,
}

/// The sockets of all doors, and what the keeper of sockets is to be told of them.
#[derive(Debug)]
pub struct Opened {
    /// What the doors are to be started on.
    pub sockets: Sockets,
    /// Those that were opened anew: copies, to be kept for the next daemon.
    pub fresh: Vec<(Doorway, OwnedFd)>,
    /// Names of those that were kept and fit nothing; they are closed.
    pub unfit: Vec<String>,
}

impl Sockets {
    /// Opens all of them anew.
    ///
    /// # Errors
    /// When a port or the MySQL socket is taken or can't be opened; then nothing stays open.
    pub fn open(config: &ProxyConfig) -> Result<Self, StartError> {
        let opened = Self::take_over(config, Vec::new())?;
        Ok(opened.sockets)
    }

    /// Takes over those of the kept sockets that listen where the configuration says, closes the
    /// others, and opens what is lacking.
    ///
    /// # Errors
    /// As [`Sockets::open`].
    pub fn take_over(
        config: &ProxyConfig,
        kept: Vec<(String, OwnedFd)>,
    ) -> Result<Opened, StartError> {
        let mut kept = Kept::sort(config, kept);
        let mut fresh = Vec::new();
        let mut tcp = |doorway: Doorway, address| -> Result<TcpListener, StartError> {
            if let Some(taken) = kept.take(doorway) {
                return Ok(TcpListener::from(taken));
            }
            let listener = open_tcp(address, doorway.purpose())?;
            let copy = listener.try_clone().map_err(listening(address, doorway))?;
            fresh.push((doorway, OwnedFd::from(copy)));
            Ok(listener)
        };
        let http = tcp(Doorway::Http, config.http)?;
        let https = tcp(Doorway::Https, config.https)?;
        let panel = tcp(Doorway::Panel, config.panel)?;
        let mysql_tcp = tcp(Doorway::MysqlTcp, config.mysql_tcp)?;
        let mysql_socket = match kept.take(Doorway::MysqlSocket) {
            Some(taken) => UnixListener::from(taken),
            None => {
                let listener = open_unix(&config.mysql_socket)?;
                let copy = listener.try_clone().map_err(|source| StartError::Socket {
                    path: config.mysql_socket.clone(),
                    source,
                })?;
                fresh.push((Doorway::MysqlSocket, OwnedFd::from(copy)));
                listener
            }
        };
        Ok(Opened {
            sockets: Self {
                http,
                https,
                panel,
                mysql_tcp,
                mysql_socket,
            },
            fresh,
            unfit: kept.unfit,
        })
    }
}

/// Kept sockets, judged.
struct Kept {
    fit: Vec<(Doorway, OwnedFd)>,
    unfit: Vec<String>,
}

impl Kept {
    fn sort(config: &ProxyConfig, kept: Vec<(String, OwnedFd)>) -> Self {
        let mut sorted = Self {
            fit: Vec::new(),
            unfit: Vec::new(),
        };
        for (name, socket) in kept {
            let doorway = Doorway::ALL.into_iter().find(|one| one.name() == name);
            match doorway.and_then(|doorway| judge(config, doorway, socket)) {
                Some(fit) => sorted.fit.push(fit),
                None => sorted.unfit.push(name),
            }
        }
        sorted
    }

    fn take(&mut self, doorway: Doorway) -> Option<OwnedFd> {
        let place = self.fit.iter().position(|(one, _)| *one == doorway)?;
        Some(self.fit.swap_remove(place).1)
    }
}

/// Gives the socket back if it listens where the configuration says. Otherwise it stops listening,
/// whoever else holds it: the port must be free for the one that is opened in its place.
fn judge(config: &ProxyConfig, doorway: Doorway, socket: OwnedFd) -> Option<(Doorway, OwnedFd)> {
    let tcp = |socket: OwnedFd, wanted: SocketAddr| {
        let listener = TcpListener::from(socket);
        if listener.local_addr().is_ok_and(|address| address == wanted) {
            return Some(OwnedFd::from(listener));
        }
        // A listening socket that is shut down listens no more.
        let _not_listening = TcpStream::from(OwnedFd::from(listener)).shutdown(Shutdown::Both);
        None
    };
    let fit = match doorway {
        Doorway::Http => tcp(socket, config.http),
        Doorway::Https => tcp(socket, config.https),
        Doorway::Panel => tcp(socket, config.panel),
        Doorway::MysqlTcp => tcp(socket, config.mysql_tcp),
        Doorway::MysqlSocket => {
            let listener = UnixListener::from(socket);
            let address = listener.local_addr().ok();
            let path = address.as_ref().and_then(|address| address.as_pathname());
            // Somebody may have removed its name: then nobody finds it.
            let is_found = path == Some(config.mysql_socket.as_path())
                && std::fs::symlink_metadata(&config.mysql_socket)
                    .is_ok_and(|found| found.file_type().is_socket());
            is_found.then(|| OwnedFd::from(listener))
        }
    };
    fit.map(|socket| (doorway, socket))
}

fn listening(address: SocketAddr, doorway: Doorway) -> impl FnOnce(io::Error) -> StartError {
    move |source| StartError::Listen {
        address,
        purpose: doorway.purpose(),
        source,
    }
}

/// Opens a TCP port. The queue is as long as the kernel allows, and what lingers of connections of
/// the daemon before us does not keep us out (`SO_REUSEADDR`): the standard library does both.
fn open_tcp(address: SocketAddr, purpose: &'static str) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).map_err(|source| {
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

/// Opens a Unix socket that everyone on the machine may use; removes what a dead process left under
/// the name, never what a living one serves.
fn open_unix(path: &Path) -> Result<UnixListener, StartError> {
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
            let is_stale = metadata.file_type().is_socket() && UnixStream::connect(path).is_err();
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
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(folder: &Path) -> ProxyConfig {
        let free = || {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            listener.local_addr().expect("bound")
        };
        ProxyConfig {
            http: free(),
            https: free(),
            panel: free(),
            mysql_tcp: free(),
            mysql_socket: folder.join("mysqld.sock"),
            ..ProxyConfig::default()
        }
    }

    fn kept(fresh: Vec<(Doorway, OwnedFd)>) -> Vec<(String, OwnedFd)> {
        let named = |(doorway, socket): (Doorway, OwnedFd)| (doorway.name().to_owned(), socket);
        fresh.into_iter().map(named).collect()
    }

    #[test]
    fn whoever_waits_in_the_queue_is_met_by_the_next_daemon() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = config(folder.path());
        let first = Sockets::take_over(&config, Vec::new()).expect("free ports");
        assert_eq!(first.fresh.len(), Doorway::ALL.len());
        drop(first.sockets);
        // No daemon runs: nobody is refused.
        let waiting = TcpStream::connect(config.http).expect("queued");
        let asking = UnixStream::connect(&config.mysql_socket).expect("queued");
        let second = Sockets::take_over(&config, kept(first.fresh)).expect("kept");
        assert!(second.fresh.is_empty() && second.unfit.is_empty());
        let (_stream, from) = second.sockets.http.accept().expect("met");
        assert_eq!(from, waiting.local_addr().expect("connected"));
        assert!(second.sockets.mysql_socket.accept().is_ok());
        drop(asking);
    }

    #[test]
    fn what_does_not_fit_any_more_is_closed_and_opened_where_it_should_be() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = config(folder.path());
        let first = Sockets::take_over(&config, Vec::new()).expect("free ports");
        drop(first.sockets);
        let everywhere = SocketAddr::from(([0, 0, 0, 0], config.http.port()));
        let changed = ProxyConfig {
            http: everywhere,
            mysql_socket: folder.path().join("other.sock"),
            ..config.clone()
        };
        let mut stored = kept(first.fresh);
        // Somebody else holds what is kept as well, and under a name that nobody knows.
        let others: Vec<_> = stored
            .iter()
            .map(|(_, socket)| socket.try_clone().expect("a copy"))
            .collect();
        let stray = TcpListener::bind("127.0.0.1:0").expect("a free port");
        stored.push(("smtp".to_owned(), OwnedFd::from(stray)));
        let second = Sockets::take_over(&changed, stored).expect("the port is free again");
        let mut fresh: Vec<_> = second.fresh.iter().map(|(doorway, _)| *doorway).collect();
        fresh.sort_unstable();
        assert_eq!(fresh, [Doorway::Http, Doorway::MysqlSocket]);
        assert_eq!(second.unfit, ["http", "mysql-socket", "smtp"]);
        assert_eq!(second.sockets.http.local_addr().ok(), Some(everywhere));
        assert!(TcpStream::connect(config.http).is_ok());
        drop(others);
    }

    #[test]
    fn a_socket_without_a_name_is_opened_anew() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = config(folder.path());
        let first = Sockets::take_over(&config, Vec::new()).expect("free ports");
        drop(first.sockets);
        std::fs::remove_file(&config.mysql_socket).expect("removed");
        let second = Sockets::take_over(&config, kept(first.fresh)).expect("opened");
        assert_eq!(second.unfit, ["mysql-socket"]);
        assert!(UnixStream::connect(&config.mysql_socket).is_ok());
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_living_one_is_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.sock");
        let stale = UnixListener::bind(&path).expect("bound");
        let refused = open_unix(&path).expect_err("somebody serves it");
        assert!(
            matches!(refused, StartError::SocketTaken { .. }),
            "{refused}"
        );
        drop(stale);
        let ours = open_unix(&path).expect("stale");
        let mode = std::fs::metadata(&path)
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o666);
        drop(ours);
        std::fs::remove_file(&path).expect("removed");
        std::fs::write(&path, "precious").expect("written");
        assert!(open_unix(&path).is_err());
        assert!(path.exists());
    }
}
