//! One session: greet, learn who, find the live node, let client and server agree, copy.

use super::handshake::{BadLogin, Greeting, Login, LoginError, auth_switch};
use super::packet::{Packet, Packets};
use super::peer::{self, COPY_BYTES};
use crate::gates::{Door, Pass};
use crate::patience::Patience;
use crate::routes::DatabaseEntry;
use crate::shared::{Shared, Way};
use bytes::BytesMut;
use futures::future::BoxFuture;
use hwc_api::ids::DatabaseId;
use hwc_api::names::DatabaseUser;
use hwc_runtime::dial::{PeerStream, Service};
use hwc_runtime::random;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// Packets that a login may take after our greeting; plugins with several rounds take six.
const LOGIN_PACKETS_MAX: usize = 32;
/// We said one packet (AuthSwitchRequest) and the client one (its answer) of which the server knows
/// nothing: its numbers are lower by this.
const SHIFT: u8 = 2;
/// Sessions that run when the daemon stops get this long to end: one page of a site.
const STOPPING_GRACE: Duration = Duration::from_secs(2);

/// Why there is no session.
enum NoSession {
    /// The client is told, as packet number so and so.
    Tell(u8, LoginError),
    /// The client left, or makes no sense.
    Silent(io::Error),
}

impl From<io::Error> for NoSession {
    fn from(error: io::Error) -> Self {
        Self::Silent(error)
    }
}

/// A session at the database's own server, here or on the live node.
struct Server {
    packets: Packets,
    greeting: Greeting,
    /// Ends when the session must.
    stop: BoxFuture<'static, ()>,
    pass: Option<Pass>,
}

/// Serves one client to its end.
pub(super) async fn serve(shared: Arc<Shared>, stream: PeerStream) {
    let mut client = Packets::new(stream);
    match log_in(&shared, &mut client).await {
        Ok((server, door)) => {
            door.counters.count_served();
            copy(&shared, client, server).await;
        }
        Err(NoSession::Tell(sequence, error)) => {
            tracing::debug!(code = error.code, message = %error.message, "mysql login refused");
            // The client may be gone.
            let _gone = client.write(sequence, &error.encode()).await;
        }
        Err(NoSession::Silent(error)) => tracing::trace!(%error, "mysql login broke off"),
    }
}

/// Tells a client that there are too many.
pub(super) async fn refuse_for_number(stream: PeerStream) {
    let error = LoginError::come_back("Too many connections to this server");
    let _gone = Packets::new(stream).write(0, &error.encode()).await;
}

async fn log_in(
    shared: &Arc<Shared>,
    client: &mut Packets,
) -> Result<(Server, Arc<Door>), NoSession> {
    let login = greet(shared, client).await?;
    let entry = find(shared, &login)?;
    let door = shared.doors.door(entry.dataset);
    let mut server = match reach(shared, &door, entry, &login).await {
        Ok(server) => server,
        Err(error) => {
            door.counters.count_failed();
            return Err(NoSession::Tell(2, error));
        }
    };
    agree(shared, client, &login, &mut server).await?;
    Ok((server, door))
}

/// Greets and reads who it is.
async fn greet(shared: &Shared, client: &mut Packets) -> Result<Login, NoSession> {
    let thread = random::number_u32();
    let greeting = Greeting::ours(&shared.config.mysql_version, thread, random::secret_bytes());
    let limit = shared.config.limits.head;
    in_time(limit, client.write(0, &greeting.encode())).await?;
    let packet = in_time(limit, client.read()).await?;
    let told = |error| NoSession::Tell(packet.sequence.wrapping_add(1), error);
    if packet.sequence != 1 {
        return Err(told(LoginError::bad_handshake("Bad handshake")));
    }
    Login::parse(&packet.payload).map_err(|bad| {
        told(LoginError::bad_handshake(match bad {
            BadLogin::Malformed => "Bad handshake",
            BadLogin::Tls => "TLS is not offered here: the way is inside this machine",
            BadLogin::TooOld => "This client is too old: it does not know authentication plugins",
        }))
    })
}

/// Finds the database that a user belongs to. Names that the servers keep for themselves are no
/// user's: [`DatabaseUser`] refuses or the table does not know them.
fn find(shared: &Shared, login: &Login) -> Result<DatabaseEntry, NoSession> {
    let denied = || {
        NoSession::Tell(
            2,
            LoginError::access_denied(&login.user, !login.answer.is_empty()),
        )
    };
    let user = std::str::from_utf8(&login.user)
        .ok()
        .and_then(|user| DatabaseUser::parse(user).ok())
        .ok_or_else(denied)?;
    let entry = shared.table.load().database_of_user(&user);
    let entry = entry.ok_or_else(denied)?;
    if entry.is_suspended {
        let error = LoginError {
            message: "This account is suspended".to_owned(),
            ..LoginError::access_denied(&login.user, true)
        };
        return Err(NoSession::Tell(2, error));
    }
    Ok(entry)
}

/// Finds the live node's server, waiting for it if need be, and reads its greeting. Nothing of the
/// client's was sent so far: it may be tried as often as there is time.
async fn reach(
    shared: &Arc<Shared>,
    door: &Arc<Door>,
    entry: DatabaseEntry,
    login: &Login,
) -> Result<Server, LoginError> {
    let mut patience = Patience::new(shared, door, login.user.len() + login.attributes.len() + 64);
    loop {
        patience.look();
        match try_reach(shared, door, entry.database).await {
            Ok(Some(server)) if login.is_kept_by(&server.greeting) => return Ok(server),
            Ok(Some(server)) => {
                let version = String::from_utf8_lossy(&server.greeting.version).into_owned();
                tracing::error!(database = %entry.database, %version,
                    "this database's server lacks what clients were promised: all nodes must run the same MariaDB");
                return Err(LoginError::bad_handshake(
                    "This database's server is of another version",
                ));
            }
            Ok(None) => {}
            Err(Unreached::Io(error)) => {
                tracing::debug!(database = %entry.database, %error, "server not reached");
            }
            Err(Unreached::Told(error)) => return Err(error),
        }
        if let Err(reason) = patience.wait().await {
            tracing::debug!(database = %entry.database, %reason, "mysql login given up");
            return Err(LoginError::come_back(
                "This database is on its way to another server; please try again",
            ));
        }
    }
}

enum Unreached {
    Io(io::Error),
    /// The server itself says no.
    Told(LoginError),
}

async fn try_reach(
    shared: &Arc<Shared>,
    door: &Arc<Door>,
    database: DatabaseId,
) -> Result<Option<Server>, Unreached> {
    let (stream, stop, pass): (PeerStream, BoxFuture<'static, ()>, _) = match shared.way(door) {
        Way::Here(pass) => {
            let stream = peer::connect(shared, database).await;
            let stream = Box::new(stream.map_err(Unreached::Io)?);
            (stream, Box::pin(pass.cut()), Some(pass))
        }
        Way::Peer { node, epoch } => {
            let dialled = shared.dial.dial(node, Service::Mysql).await;
            let dialled = dialled.map_err(|error| Unreached::Io(io::Error::other(error)))?;
            let asked = in_time(
                shared.config.limits.connect,
                peer::ask(dialled, database, epoch),
            );
            let Some(stream) = asked.await.map_err(Unreached::Io)? else {
                return Ok(None);
            };
            let moved_on = Arc::clone(shared).moved_on(Arc::clone(door), node, epoch);
            (stream, Box::pin(moved_on), None)
        }
        Way::Wait => return Ok(None),
    };
    let mut packets = Packets::new(stream);
    let mut stop: BoxFuture<'static, ()> = Box::pin(either(
        stop,
        loses_right(Arc::clone(shared), door, database),
    ));
    let limit = shared.config.limits.mysql_greeting;
    let greeted = in_time(limit, packets.read());
    let packet = tokio::select! {
        biased;
        // The server may take long to start; a fence does not wait for it.
        () = &mut stop => return Ok(None),
        packet = greeted => packet.map_err(Unreached::Io)?,
    };
    if let Some(error) = told_by_server(&packet) {
        return Err(Unreached::Told(error));
    }
    let greeting = Greeting::parse(&packet.payload)
        .ok_or_else(|| Unreached::Io(io::Error::other("the server's greeting is none")))?;
    Ok(Some(Server {
        packets,
        greeting,
        stop,
        pass,
    }))
}

/// An error in place of a greeting, such as too many connections. It has no SQL state before the
/// login (MariaDB), or has one.
fn told_by_server(packet: &Packet) -> Option<LoginError> {
    let rest = packet.payload.strip_prefix(&[0xff])?;
    let (code, message) = rest.split_first_chunk::<2>()?;
    let message = match message.strip_prefix(b"#") {
        Some(with_state) => with_state.get(5..).unwrap_or_default(),
        None => message,
    };
    Some(LoginError {
        code: u16::from_le_bytes(*code),
        state: b"08004",
        message: String::from_utf8_lossy(message).into_owned(),
    })
}

/// Lets the client answer the server's nonce and passes on what they say until the server is
/// content, or is not: then its own error is the last that the client hears.
async fn agree(
    shared: &Shared,
    client: &mut Packets,
    login: &Login,
    server: &mut Server,
) -> Result<(), NoSession> {
    let limit = shared.config.limits.head;
    let switch = auth_switch(&server.greeting.nonce);
    in_time(limit, client.write(2, &switch)).await?;
    let answer = in_time(limit, client.read()).await?;
    if answer.sequence != 3 {
        let error = LoginError::bad_handshake("Packets out of order");
        return Err(NoSession::Tell(answer.sequence.wrapping_add(1), error));
    }
    let login = login.encode_for_server(&answer.payload);
    in_time(limit, server.packets.write(1, &login)).await?;
    for _ in 0..LOGIN_PACKETS_MAX {
        // Reading is cancel-safe; the one that has nothing to say is simply asked again.
        let next = async {
            tokio::select! {
                said = server.packets.read() => Ok(Said::ByServer(said?)),
                said = client.read() => Ok(Said::ByClient(said?)),
                () = &mut server.stop => Err(io::Error::other("the database moved on")),
            }
        };
        match in_time(limit, next).await? {
            Said::ByClient(packet) => {
                let sequence = packet.sequence.wrapping_sub(SHIFT);
                in_time(limit, server.packets.write(sequence, &packet.payload)).await?;
            }
            Said::ByServer(packet) => {
                let sequence = packet.sequence.wrapping_add(SHIFT);
                in_time(limit, client.write(sequence, &packet.payload)).await?;
                match packet.payload.first() {
                    Some(0x00) => return Ok(()),
                    Some(0xff) | None => {
                        return Err(NoSession::Silent(io::Error::other("the server refused")));
                    }
                    Some(_) => {}
                }
            }
        }
    }
    Err(NoSession::Silent(io::Error::other("a login without end")))
}

enum Said {
    ByServer(Packet),
    ByClient(Packet),
}

/// Copies both ways until one side ends, the dataset moves on, or the daemon stops.
async fn copy(shared: &Shared, client: Packets, server: Server) {
    let (mut client, said_by_client) = client.into_parts();
    let Server {
        packets,
        stop,
        pass,
        ..
    } = server;
    let (mut server, said_by_server) = packets.into_parts();
    let stopping = shared.tasks.token();
    let grace = async {
        stopping.cancelled().await;
        tokio::time::sleep(STOPPING_GRACE).await;
    };
    let copied = async {
        hand_over(&mut server, said_by_client).await?;
        hand_over(&mut client, said_by_server).await?;
        tokio::io::copy_bidirectional_with_sizes(&mut client, &mut server, COPY_BYTES, COPY_BYTES)
            .await
    };
    tokio::select! {
        biased;
        () = stop => {}
        () = grace => {}
        // Either side may end without a word.
        _ended = copied => {}
    }
    drop(pass);
}

async fn hand_over(to: &mut PeerStream, bytes: BytesMut) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    to.write_all(&bytes).await
}

/// Ends when the database's account is suspended or the database is deleted.
fn loses_right(
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

async fn either(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    tokio::select! {
        () = one => {}
        () = other => {}
    }
}

async fn in_time<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(limit, work)
        .await
        .unwrap_or_else(|_late| Err(io::ErrorKind::TimedOut.into()))
}
