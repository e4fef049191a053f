//! The login: greet the client, learn who it is, find its database, log in there.
//!
//! A client that proves its password against our nonce is logged in by us, and can be again. One
//! that does not (its password was changed a moment ago, or its plugin is another) is let answer the
//! server's own nonce, and server and client settle it between them; such a session can't move.

use super::error::SqlError;
use super::handshake::{BadLogin, Greeting, Login, auth_switch};
use super::native_password::{PROOF, Secret};
use super::packet::{Packet, Packets};
use super::reach::{Server, Wish, in_time, reach};
use crate::gates::Door;
use crate::routes::DatabaseEntry;
use crate::shared::Shared;
use hwc_api::names::DatabaseUser;
use hwc_runtime::random;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Packets that a login may take after our greeting; plugins with several rounds take six.
const LOGIN_PACKETS_MAX: usize = 32;
/// We said one packet (AuthSwitchRequest) and the client one (its answer) of which the server knows
/// nothing: its numbers are lower by this.
const SHIFT: u8 = 2;

/// Why there is no session.
pub(super) enum NoSession {
    /// The client is told, as packet number so and so.
    Tell(u8, SqlError),
    /// The client left, or makes no sense.
    Silent(io::Error),
}

impl From<io::Error> for NoSession {
    fn from(error: io::Error) -> Self {
        Self::Silent(error)
    }
}

/// A client that is logged in.
pub(super) struct LoggedIn {
    pub entry: DatabaseEntry,
    pub door: Arc<Door>,
    pub login: Login,
    /// What the client answers when it logs in anew.
    pub nonce: [u8; PROOF],
    pub secret: Option<Secret>,
    pub server: Server,
}

/// Logs a client in.
///
/// # Errors
/// See [`NoSession`].
pub(super) async fn log_in(
    shared: &Arc<Shared>,
    client: &mut Packets,
) -> Result<LoggedIn, NoSession> {
    let (login, nonce) = greet(shared, client).await?;
    let entry = find(shared, &login)?;
    let door = shared.doors.door(entry.dataset);
    let secret = shared
        .table
        .load()
        .password_hash(entry.database)
        .and_then(|hash| Secret::from_answer(&login.answer, &nonce, hash));
    let wish = Wish {
        login: &login,
        secret: secret.as_ref(),
        carried: None,
        waiting_bytes: login.user.len() + login.attributes.len() + 64,
    };
    let (mut server, last) = match reach(shared, &door, entry, wish).await {
        Ok(reached) => reached,
        Err(not_reached) => {
            door.counters.count_failed();
            return Err(NoSession::Tell(2, not_reached.error));
        }
    };
    let limit = shared.config.limits.head;
    match last {
        Some(last) => in_time(limit, client.write(2, &last.payload)).await?,
        None => agree(shared, client, &login, &mut server).await?,
    }
    Ok(LoggedIn {
        entry,
        door,
        login,
        nonce,
        secret,
        server,
    })
}

/// Greets and reads who it is.
async fn greet(shared: &Shared, client: &mut Packets) -> Result<(Login, [u8; PROOF]), NoSession> {
    let thread = random::number_u32();
    let greeting = Greeting::ours(&shared.config.mysql_version, thread, random::secret_bytes());
    let limit = shared.config.limits.head;
    in_time(limit, client.write(0, &greeting.encode())).await?;
    let packet = in_time(limit, client.read()).await?;
    let told = |error| NoSession::Tell(packet.sequence.wrapping_add(1), error);
    if packet.sequence != 1 {
        return Err(told(SqlError::bad_handshake("Bad handshake")));
    }
    let login = Login::parse(&packet.payload).map_err(|bad| {
        told(SqlError::bad_handshake(match bad {
            BadLogin::Malformed => "Bad handshake",
            BadLogin::Tls => "TLS is not offered here: the way is inside this machine",
            BadLogin::TooOld => "This client is too old: it does not know authentication plugins",
        }))
    })?;
    Ok((login, greeting.nonce))
}

/// Finds the database that a user belongs to. Names that the servers keep for themselves are no
/// user's: [`DatabaseUser`] refuses or the table does not know them.
fn find(shared: &Shared, login: &Login) -> Result<DatabaseEntry, NoSession> {
    let denied = || {
        NoSession::Tell(
            2,
            SqlError::access_denied(&login.user, !login.answer.is_empty()),
        )
    };
    let user = std::str::from_utf8(&login.user)
        .ok()
        .and_then(|user| DatabaseUser::parse(user).ok())
        .ok_or_else(denied)?;
    let entry = shared.table.load().database_of_user(&user);
    let entry = entry.ok_or_else(denied)?;
    if entry.is_suspended {
        let error = SqlError {
            message: "This account is suspended".to_owned(),
            ..SqlError::access_denied(&login.user, true)
        };
        return Err(NoSession::Tell(2, error));
    }
    Ok(entry)
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
        let error = SqlError::bad_handshake("Packets out of order");
        return Err(NoSession::Tell(answer.sequence.wrapping_add(1), error));
    }
    let login = login.encode_for_server(&answer.payload, login.database.as_deref());
    in_time(limit, server.packets.write(1, &login)).await?;
    let passed = tokio::select! {
        biased;
        () = &mut server.stop => Err(io::Error::other("the database moved on")),
        passed = pass_login(limit, client, &mut server.packets, SHIFT) => passed,
    };
    match passed? {
        0 => Ok(()),
        _ => Err(NoSession::Silent(io::Error::other("the server refused"))),
    }
}

/// Passes on what server and client say to each other until the server is content or refuses; gives
/// the first byte of its last word. The client's numbers are higher by `shift`.
///
/// # Errors
/// When one of them leaves, or takes longer than `limit` for a step.
pub(super) async fn pass_login(
    limit: Duration,
    client: &mut Packets,
    server: &mut Packets,
    shift: u8,
) -> io::Result<u8> {
    for _ in 0..LOGIN_PACKETS_MAX {
        // Reading is cancel-safe; the one that has nothing to say is simply asked again.
        let next = async {
            tokio::select! {
                said = server.read() => Ok(Said::ByServer(said?)),
                said = client.read() => Ok(Said::ByClient(said?)),
            }
        };
        match in_time(limit, next).await? {
            Said::ByClient(packet) => {
                let sequence = packet.sequence.wrapping_sub(shift);
                in_time(limit, server.write(sequence, &packet.payload)).await?;
            }
            Said::ByServer(packet) => {
                let sequence = packet.sequence.wrapping_add(shift);
                in_time(limit, client.write(sequence, &packet.payload)).await?;
                match packet.payload.first() {
                    Some(last @ (0x00 | 0xff)) => return Ok(*last),
                    None => return Err(io::ErrorKind::InvalidData.into()),
                    Some(_) => {}
                }
            }
        }
    }
    Err(io::Error::other("a login without end"))
}

enum Said {
    ByServer(Packet),
    ByClient(Packet),
}
