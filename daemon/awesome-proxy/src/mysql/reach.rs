//! From a session to its database's own server: finds the live node, waits for it if need be, logs
//! in. Nothing of the client's is sent here, so it may be tried as often as there is time.

use super::carry::{self, Carried};
use super::error::SqlError;
use super::handshake::{Greeting, Login};
use super::native_password::Secret;
use super::notice::Notice;
use super::own::Unanswered;
use super::packet::{Packet, Packets};
use super::peer;
use super::pipe::Pipe;
use crate::gates::{Door, Pass};
use crate::patience::Patience;
use crate::routes::DatabaseEntry;
use crate::shared::{Shared, Way};
use futures::future::BoxFuture;
use hwc_api::ids::DatabaseId;
use hwc_runtime::dial::Service;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Packets of a login in which we know the secret: the answer, a plugin's question or two, the end.
const LOGIN_PACKETS_MAX: usize = 8;

/// What clients are told who waited in vain.
const ON_ITS_WAY: &str = "This database is on its way to another server; please try again";

/// A session at the database's own server, here or on the live node.
pub(super) struct Server {
    pub packets: Packets,
    pub greeting: Greeting,
    /// Tells when the gate closes.
    pub notice: Notice,
    /// Ends when the session must.
    pub stop: BoxFuture<'static, ()>,
    /// Leave to be here; none where the server is another node's.
    pub pass: Option<Pass>,
}

/// What a session needs of its server.
#[derive(Clone, Copy)]
pub(super) struct Wish<'a> {
    pub login: &'a Login,
    /// With it we log in ourselves; without it the server only greets.
    pub secret: Option<&'a Secret>,
    /// The state that a session brings from its last server.
    pub carried: Option<&'a Carried>,
    /// Bytes of the client's that wait meanwhile.
    pub waiting_bytes: usize,
}

/// There is no server for the session.
#[derive(Debug)]
pub(super) struct NotReached {
    /// What the client is told.
    pub error: SqlError,
    /// Whether it is of no use to try again.
    pub is_final: bool,
}

/// Finds the live node's server and makes it ready for the session. Gives its last word of the
/// login, if there was one.
///
/// # Errors
/// See [`NotReached`].
pub(super) async fn reach(
    shared: &Arc<Shared>,
    door: &Arc<Door>,
    entry: DatabaseEntry,
    wish: Wish<'_>,
) -> Result<(Server, Option<Packet>), NotReached> {
    let mut patience = Patience::new(shared, door, wish.waiting_bytes);
    loop {
        patience.look();
        match try_reach(shared, door, entry.database, wish).await {
            Ok(Some(reached)) => return Ok(reached),
            Ok(None) => {}
            Err(Unreached::Io(error)) => {
                tracing::debug!(database = %entry.database, %error, "server not reached");
            }
            // A session that is there already outlasts a server that is full, or about to stop.
            Err(Unreached::Told(error)) if wish.carried.is_some() && error.is_passing() => {
                tracing::debug!(database = %entry.database, code = error.code, "server not ready");
            }
            Err(Unreached::Told(error)) => {
                return Err(NotReached {
                    error,
                    is_final: true,
                });
            }
        }
        if let Err(reason) = patience.wait().await {
            tracing::debug!(database = %entry.database, %reason, "mysql session given up");
            return Err(NotReached {
                error: match wish.carried {
                    None => SqlError::come_back(ON_ITS_WAY),
                    Some(_) => SqlError::shutdown(ON_ITS_WAY),
                },
                is_final: false,
            });
        }
    }
}

enum Unreached {
    Io(io::Error),
    /// The server itself says no.
    Told(SqlError),
}

impl From<io::Error> for Unreached {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

async fn try_reach(
    shared: &Arc<Shared>,
    door: &Arc<Door>,
    database: DatabaseId,
    wish: Wish<'_>,
) -> Result<Option<(Server, Option<Packet>)>, Unreached> {
    let Some(opened) = open(shared, door, database).await? else {
        return Ok(None);
    };
    let Opened {
        mut packets,
        mut stop,
        notice,
        pass,
    } = opened;
    let prepared = prepare(shared, database, &mut packets, wish);
    let (greeting, last) = tokio::select! {
        biased;
        // The server may take long to start; a fence does not wait for it.
        () = &mut stop => return Ok(None),
        prepared = prepared => prepared?,
    };
    let server = Server {
        packets,
        greeting,
        notice,
        stop,
        pass,
    };
    Ok(Some((server, last)))
}

struct Opened {
    packets: Packets,
    stop: BoxFuture<'static, ()>,
    notice: Notice,
    pass: Option<Pass>,
}

/// Opens a stream to the server; none where it is nowhere.
async fn open(
    shared: &Arc<Shared>,
    door: &Arc<Door>,
    database: DatabaseId,
) -> Result<Option<Opened>, io::Error> {
    let loses_right = loses_right(Arc::clone(shared), door, database);
    match shared.way(door) {
        Way::Here(pass) => {
            let notice = Notice::here(door, pass.epoch());
            let stream = peer::connect(shared, database).await?;
            Ok(Some(Opened {
                packets: Packets::new(Box::new(stream)),
                stop: Box::pin(either(pass.cut(), loses_right)),
                notice,
                pass: Some(pass),
            }))
        }
        Way::Peer { node, epoch } => {
            let dialled = shared.dial.dial(node, Service::Mysql).await;
            let dialled = dialled.map_err(io::Error::other)?;
            let asked = in_time(
                shared.config.limits.connect,
                peer::ask(dialled, database, epoch),
            );
            let Some(stream) = asked.await? else {
                return Ok(None);
            };
            let (pipe, told) = Pipe::new(stream, shared.clock.clone());
            let moved_on = Arc::clone(shared).moved_on(Arc::clone(door), node, epoch);
            Ok(Some(Opened {
                packets: Packets::new(Box::new(pipe)),
                stop: Box::pin(either(moved_on, loses_right)),
                notice: Notice::Peer(told),
                pass: None,
            }))
        }
        Way::Wait => Ok(None),
    }
}

/// Hears the greeting, and with the secret logs in and brings the session's state along.
async fn prepare(
    shared: &Shared,
    database: DatabaseId,
    packets: &mut Packets,
    wish: Wish<'_>,
) -> Result<(Greeting, Option<Packet>), Unreached> {
    let limits = &shared.config.limits;
    let packet = in_time(limits.mysql_greeting, packets.read()).await?;
    if let Some(error) = SqlError::parse(&packet.payload) {
        return Err(Unreached::Told(error));
    }
    let greeting = Greeting::parse(&packet.payload)
        .ok_or_else(|| io::Error::other("the server's greeting is none"))?;
    if !wish.login.is_kept_by(&greeting) {
        let version = String::from_utf8_lossy(&greeting.version).into_owned();
        tracing::error!(%database, %version,
            "this database's server lacks what clients were promised: all nodes must run the same MariaDB");
        return Err(Unreached::Told(SqlError::bad_handshake(
            "This database's server is of another version",
        )));
    }
    let Some(secret) = wish.secret else {
        return Ok((greeting, None));
    };
    let logged_in = log_in(packets, &greeting, wish, secret);
    let last = within(limits.head, logged_in).await?;
    if let Some(carried) = wish.carried {
        let dialect = wish.login.dialect();
        let restored = carry::restore(packets, dialect.deprecates_eof, carried);
        let restored = async { restored.await.map_err(Unreached::from) };
        within(limits.head, restored).await?;
    }
    Ok((greeting, Some(last)))
}

async fn log_in(
    packets: &mut Packets,
    greeting: &Greeting,
    wish: Wish<'_>,
    secret: &Secret,
) -> Result<Packet, Unreached> {
    let schema = match wish.carried {
        Some(carried) => carried.look_back.schema.as_deref(),
        None => wish.login.database.as_deref(),
    };
    let answer = secret.answer(&greeting.nonce);
    let login = wish.login.encode_for_server(&answer, schema);
    packets.write(1, &login).await?;
    for _ in 0..LOGIN_PACKETS_MAX {
        let packet = packets.read().await?;
        match packet.payload.first() {
            Some(0) => return Ok(packet),
            Some(0xff) => {
                let error = SqlError::parse(&packet.payload);
                return Err(error.map_or_else(|| no_login().into(), Unreached::Told));
            }
            _ => {
                let nonce = super::handshake::nonce_of_switch(&packet.payload);
                let answer = secret.answer(&nonce.ok_or_else(no_login)?);
                packets
                    .write(packet.sequence.wrapping_add(1), &answer)
                    .await?;
            }
        }
    }
    Err(no_login().into())
}

fn no_login() -> io::Error {
    io::Error::other("the server asks for what is no native password")
}

impl From<Unanswered> for Unreached {
    fn from(error: Unanswered) -> Self {
        match error {
            Unanswered::Broken(error) => Self::Io(error),
            Unanswered::Refused(error) => {
                tracing::warn!(code = error.code, message = %error.message,
                    "a session's state was refused by the server that it moved to");
                Self::Told(SqlError::shutdown("this session could not be taken along"))
            }
        }
    }
}

/// Ends when the database's account is suspended or the database is deleted.
pub(super) fn loses_right(
    shared: Arc<Shared>,
    door: &Arc<Door>,
    database: DatabaseId,
) -> impl Future<Output = ()> + Send + 'static {
    let mut changes = door.changes();
    // Keeps the sender of `changes`.
    let door = Arc::clone(door);
    async move {
        loop {
            let entry = shared.table.load().database(database);
            if entry.is_none_or(|entry| entry.is_suspended) || changes.changed().await.is_err() {
                break;
            }
        }
        drop(door);
    }
}

/// Ends when one of two does.
pub(super) async fn either(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    tokio::select! {
        () = one => {}
        () = other => {}
    }
}

/// Gives up after a while.
///
/// # Errors
/// Those of the work, or that it took too long.
pub(super) async fn in_time<T>(
    limit: Duration,
    work: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    within(limit, work).await
}

/// The same for other errors.
pub(super) async fn within<T, E: From<io::Error>>(
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    tokio::time::timeout(limit, work)
        .await
        .unwrap_or_else(|_late| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
}
