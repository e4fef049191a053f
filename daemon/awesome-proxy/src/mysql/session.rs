//! One session: commands to the database's server one at a time, and from server to server.
//!
//! We follow what the client asks and what the server answers, as a server would: the next command
//! is looked at when the last one's answer is over. So it is known at every moment whether something
//! is under way, and nothing that may have reached a server is ever sent again. When the gate closes
//! the session leaves (see `leave`), and is between servers until its client says something.

mod change_user;
mod exchange;
mod leave;
mod passing;
mod ready;

use super::carry::{Carried, LookBack};
use super::command::Command;
use super::error::SqlError;
use super::handshake::Login;
use super::login::{LoggedIn, NoSession, log_in};
use super::native_password::{PROOF, Secret};
use super::notice::Ending;
use super::packet::{HEAD, LONGEST, Packets, read_head};
use super::prepared::Statements;
use super::reach::{NotReached, Server, Wish, either, in_time, loses_right, reach, within};
use super::statement;
use crate::gates::Door;
use crate::routes::DatabaseEntry;
use crate::shared::Shared;
use bytes::Buf;
use exchange::{Exchange, Ran, arrival, has_arrived, payload};
use hwc_runtime::dial::PeerStream;
use leave::{Departure, Stay};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// Sessions that run when the daemon stops get this long to end: one page of a site.
const STOPPING_GRACE: Duration = Duration::from_secs(2);
/// Room for what a client or server says at once, to begin with. Idle sessions have no more.
const ROOM: usize = 8 * 1024;
/// How long a client may take to hear why its session is over.
const LAST_WORD: Duration = Duration::from_secs(1);
/// Commands up to this length are looked at whole before they are passed on.
const WHOLE: usize = 64 * 1024;

/// Serves one client to its end.
pub(super) async fn serve(shared: Arc<Shared>, stream: PeerStream) {
    let mut client = Packets::new(stream);
    match log_in(&shared, &mut client).await {
        Ok(logged_in) => {
            logged_in.door.counters.count_served();
            let LoggedIn {
                entry,
                door,
                login,
                nonce,
                secret,
                server,
            } = logged_in;
            let session = Session {
                shared,
                entry,
                door,
                login,
                nonce,
                secret,
                client,
                statements: Statements::default(),
                stay: Stay::default(),
                owes_loss: false,
                look_back: None,
                exchange: Exchange::default(),
            };
            session.run(server).await;
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
    let error = SqlError::come_back("Too many connections to this server");
    let _gone = Packets::new(stream).write(0, &error.encode()).await;
}

/// A client that is logged in, and what is known of its session.
struct Session {
    shared: Arc<Shared>,
    entry: DatabaseEntry,
    door: Arc<Door>,
    login: Login,
    /// What the client answers when it logs in anew.
    nonce: [u8; PROOF],
    /// With it the session can log in elsewhere.
    secret: Option<Secret>,
    client: Packets,
    statements: Statements,
    /// What is known of why it may have to stay where it is.
    stay: Stay,
    /// Its transaction was lost, and the client does not know it yet.
    owes_loss: bool,
    /// What the last statement left behind and we disturbed.
    look_back: Option<LookBack>,
    /// The command that is under way.
    exchange: Exchange,
}

/// Where a session is.
enum Place {
    /// At a server. With the state that it brought there, until it has said something.
    At(Box<Server>, Option<Carried>),
    /// Between servers.
    Between(Carried),
    /// Nowhere: its state is lost. The client is told at its next command, and that is the end.
    Lost,
    Over,
}

/// What happens to a session that waits for its client.
enum Event {
    /// The head of a command and its first byte are there.
    Command,
    /// The server said something of its own accord.
    Word,
    /// The server is gone.
    ServerGone,
    /// The session must end.
    Cut,
    ClientGone,
    /// The gate may have closed, or it is time to leave.
    Ending,
}

impl Session {
    async fn run(mut self, server: Server) {
        let mut place = Place::At(Box::new(server), None);
        loop {
            place = match place {
                Place::At(server, brought) => Box::pin(self.at(server, brought)).await,
                Place::Between(carried) => Box::pin(self.between(carried)).await,
                Place::Lost => {
                    self.tell_lost().await;
                    return;
                }
                Place::Over => return,
            }
        }
    }

    /// Serves the client's commands at one server, until the session has to leave it.
    async fn at(&mut self, mut server: Box<Server>, mut brought: Option<Carried>) -> Place {
        let mut grace = std::pin::pin!(grace(Arc::clone(&self.shared)));
        loop {
            let ending = server.notice.ending();
            if ending.is_closing {
                if let Some(carried) = brought {
                    // Its command was not sent yet.
                    return Place::Between(carried);
                }
                match self.try_to_leave(&mut server, ending).await {
                    Departure::Not => {}
                    Departure::Place(place) => return place,
                }
            }
            let event = tokio::select! {
                biased;
                () = &mut grace => return Place::Over,
                event = self.next_event(&mut server) => event,
            };
            match event {
                Event::Ending => {}
                Event::Word => {
                    if self.pass_word(&mut server).await.is_err() {
                        return Place::Over;
                    }
                }
                Event::Command => {
                    let ran = tokio::select! {
                        biased;
                        () = &mut server.stop => Ran::Cut,
                        () = &mut grace => Ran::Cut,
                        ran = exchange::run(
                            self, &mut server.packets, &server.greeting.nonce, server.pass.is_some(),
                        ) => ran,
                    };
                    brought = None;
                    match ran {
                        Ran::Done => {}
                        Ran::Over => return Place::Over,
                        Ran::Cut | Ran::ServerGone => {
                            return self.cut_short(server.notice.ending()).await;
                        }
                    }
                }
                // Idle, and yet not able to leave: its state is lost with the server.
                Event::Cut | Event::ServerGone if server.notice.ending().is_planned() => {
                    self.door.note_failed();
                    return Place::Lost;
                }
                Event::Cut | Event::ServerGone | Event::ClientGone => return Place::Over,
            }
        }
    }

    /// Waits for what happens next.
    async fn next_event(&mut self, server: &mut Server) -> Event {
        let wake = self.stay.wake_at(server.notice.ending());
        let wake = wake.map(|at| at.since(self.shared.clock.now()));
        loop {
            if has_arrived(&self.client.buffer) {
                return Event::Command;
            }
            tokio::select! {
                biased;
                () = &mut server.stop => return Event::Cut,
                read = self.client.fill(ROOM) => match read {
                    Ok(0) | Err(_) => return Event::ClientGone,
                    Ok(_) => {}
                },
                read = server.packets.fill(ROOM) => match read {
                    Ok(0) | Err(_) => return Event::ServerGone,
                    Ok(_) => return Event::Word,
                },
                () = server.notice.changed() => return Event::Ending,
                () = pause(wake) => return Event::Ending,
            }
        }
    }

    /// Passes on what a server says before it hangs up.
    async fn pass_word(&mut self, server: &mut Server) -> io::Result<()> {
        let said = server.packets.buffer.split();
        let limit = self.shared.config.limits.stall;
        in_time(limit, self.client.stream.write_all(&said)).await
    }

    /// Waits between servers for the client to say something, and takes it to the live node then.
    async fn between(&mut self, carried: Carried) -> Place {
        let shared = Arc::clone(&self.shared);
        let ends = loses_right(Arc::clone(&shared), &self.door, self.entry.database);
        let mut ends = std::pin::pin!(either(ends, grace(Arc::clone(&shared))));
        loop {
            let arrival = tokio::select! {
                biased;
                () = &mut ends => return Place::Over,
                () = tokio::time::sleep(carried.idle_max) => return Place::Over,
                arrival = arrival(&mut self.client) => arrival,
            };
            let Ok(command) = arrival else {
                return Place::Over;
            };
            if command == Some(Command::Quit) {
                return Place::Over;
            }
            if command.is_some_and(|command| self.hears_of_loss(command)) {
                if self.refuse(&SqlError::rolled_back()).await.is_err() {
                    return Place::Over;
                }
                continue;
            }
            let wish = Wish {
                login: &self.login,
                secret: self.secret.as_ref(),
                carried: Some(&carried),
                waiting_bytes: self.client.buffer.len(),
            };
            let reached = tokio::select! {
                biased;
                () = &mut ends => return Place::Over,
                reached = reach(&shared, &self.door, self.entry, wish) => reached,
                () = leaves(&mut self.client) => return Place::Over,
            };
            match reached {
                Ok((server, _)) => {
                    self.look_back = Some(carried.look_back.clone());
                    self.stay.arrive();
                    return Place::At(Box::new(server), Some(carried));
                }
                Err(NotReached { error, is_final }) => {
                    tracing::debug!(database = %self.entry.database, code = error.code,
                        message = %error.message, "a session found no server");
                    self.door.counters.count_failed();
                    if self.refuse(&error).await.is_err() || is_final {
                        return Place::Over;
                    }
                }
            }
        }
    }

    /// Ends a session whose server left, or had to be left, in the middle of a command. Where that
    /// was planned the client is told, if it can still be told anything.
    async fn cut_short(&mut self, ending: Ending) -> Place {
        if ending.is_planned() {
            self.door.note_failed();
            let error = SqlError::shutdown("the statement was cut off, and was not tried again");
            if let Some(sequence) = self.exchange.next_sequence() {
                let word = error.encode();
                let told = self.client.write(sequence, &word);
                let _gone = within(LAST_WORD, told).await;
            }
        }
        Place::Over
    }

    /// Tells the client at its next command that its session is lost.
    async fn tell_lost(&mut self) {
        let shared = Arc::clone(&self.shared);
        let ends = loses_right(Arc::clone(&shared), &self.door, self.entry.database);
        let told = async {
            if arrival(&mut self.client).await? == Some(Command::Quit) {
                return Ok(());
            }
            let error = SqlError::shutdown("this session could not be taken along");
            self.refuse(&error).await
        };
        tokio::select! {
            biased;
            () = ends => {}
            () = grace(shared) => {}
            // The client may be gone.
            _told = told => {}
        }
    }

    /// Whether this command is the one that hears of a lost transaction.
    fn hears_of_loss(&mut self, command: Command) -> bool {
        let is_next = self.owes_loss && (command.is_statement() || command.begins_anew());
        if !is_next {
            return false;
        }
        self.owes_loss = false;
        let text = payload(&self.client.buffer).get(1..).unwrap_or_default();
        // What the client wants has happened.
        let is_rollback = command == Command::Query && statement::is_rollback(text);
        command.is_statement() && !is_rollback
    }

    /// Answers the command at the front of the client's buffer with an error; nobody else sees it.
    async fn refuse(&mut self, error: &SqlError) -> io::Result<()> {
        let sequence = self.drop_command().await?;
        let limit = self.shared.config.limits.stall;
        let word = error.encode();
        let told = self.client.write(sequence.wrapping_add(1), &word);
        in_time(limit, told).await
    }

    /// Reads the client's command to its end and forgets it; gives its last packet's number.
    async fn drop_command(&mut self) -> io::Result<u8> {
        loop {
            while self.client.buffer.len() < HEAD {
                self.hear_more().await?;
            }
            let (length, sequence) = read_head(&self.client.buffer).unwrap_or_default();
            let mut left = HEAD + length;
            while left > 0 {
                if self.client.buffer.is_empty() {
                    self.hear_more().await?;
                }
                let here = self.client.buffer.len().min(left);
                self.client.buffer.advance(here);
                left -= here;
            }
            if length < LONGEST {
                return Ok(sequence);
            }
        }
    }

    async fn hear_more(&mut self) -> io::Result<()> {
        match self.client.fill(ROOM).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// The session is as after its login.
    fn begin_anew(&mut self) {
        self.statements.clear();
        self.stay.arrive();
        self.look_back = None;
    }
}

/// Ends after a time, if there is one.
async fn pause(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// Ends some time after the daemon begins to stop.
async fn grace(shared: Arc<Shared>) {
    shared.tasks.token().cancelled().await;
    tokio::time::sleep(STOPPING_GRACE).await;
}

/// Ends when a client leaves that waits for its answer.
async fn leaves(client: &mut Packets) {
    while client.buffer.len() < 2 * WHOLE {
        if !matches!(client.fill(ROOM).await, Ok(1..)) {
            return;
        }
    }
    std::future::pending().await
}
