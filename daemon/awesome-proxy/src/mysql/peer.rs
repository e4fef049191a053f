//! MySQL sessions between nodes: a few bytes that say what is asked for, then the server's own
//! protocol, its answers in frames (see `pipe`).
//!
//! A session lives at its client's own door. Here is only the way from there to the live node's
//! server: bytes are passed on, and the other node is told when our gate closes.

use super::notice::{Ending, Notice};
use super::pipe;
use super::tally::Tally;
use crate::gates::{Door, Pass};
use crate::shared::Shared;
use hwc_api::ids::{BootId, DatabaseId, NodeId};
use hwc_api::ownership::Epoch;
use hwc_runtime::dial::PeerStream;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// First bytes of the question; the digit is its version.
const MAGIC: [u8; 4] = *b"HWM2";
/// Bytes of the question: magic, database, epoch's counter, node and boot.
const QUESTION: usize = 18;
/// Bytes passed on at a time in each direction: a record of TLS.
const PIECE: usize = 16 * 1024;
/// How often we look whether our own gates can be believed again.
const VOUCH_PAUSE: Duration = Duration::from_millis(10);

/// What one node asks another for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Question {
    database: DatabaseId,
    epoch: Epoch,
}

/// What the other answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reply {
    /// What follows is the database server's own.
    Yes,
    /// It does not serve that database under that epoch.
    NotHere,
}

impl Question {
    fn encode(self) -> [u8; QUESTION] {
        let mut bytes = [0; QUESTION];
        let parts = [
            &MAGIC[..],
            &self.database.0.to_be_bytes(),
            &self.epoch.counter.to_be_bytes(),
            &self.epoch.node.0.to_be_bytes(),
            &self.epoch.boot.0.to_be_bytes(),
        ]
        .concat();
        bytes.copy_from_slice(&parts);
        bytes
    }

    fn parse(bytes: [u8; QUESTION]) -> Option<Self> {
        let rest = bytes.strip_prefix(&MAGIC)?;
        let (database, rest) = rest.split_first_chunk::<4>()?;
        let (counter, rest) = rest.split_first_chunk::<4>()?;
        let (node, rest) = rest.split_first_chunk::<2>()?;
        let boot = rest.first_chunk::<4>()?;
        Some(Self {
            database: DatabaseId(u32::from_be_bytes(*database)),
            epoch: Epoch {
                counter: u32::from_be_bytes(*counter),
                node: NodeId(u16::from_be_bytes(*node)),
                boot: BootId(u32::from_be_bytes(*boot)),
            },
        })
    }
}

impl Reply {
    const fn encode(self) -> u8 {
        match self {
            Self::Yes => 1,
            Self::NotHere => 2,
        }
    }
}

/// Asks the live node for a database; none if it says that it is not.
///
/// # Errors
/// When the stream fails.
pub(super) async fn ask(
    mut stream: PeerStream,
    database: DatabaseId,
    epoch: Epoch,
) -> io::Result<Option<PeerStream>> {
    let question = Question { database, epoch };
    stream.write_all(&question.encode()).await?;
    stream.flush().await?;
    let is_yes = stream.read_u8().await? == Reply::Yes.encode();
    Ok(is_yes.then_some(stream))
}

/// Serves one session of another node to its end.
pub(crate) async fn serve(shared: Arc<Shared>, peer: NodeId, mut stream: PeerStream) {
    let mut bytes = [0; QUESTION];
    let limit = shared.config.limits.head;
    let read = tokio::time::timeout(limit, stream.read_exact(&mut bytes)).await;
    let Some(question) = read
        .is_ok_and(|read| read.is_ok())
        .then(|| Question::parse(bytes))
        .flatten()
    else {
        return tracing::warn!(%peer, "a node did not say which database it asks for");
    };
    let Some((door, pass, server)) = open(&shared, question).await else {
        tracing::debug!(%peer, database = %question.database, epoch = %question.epoch, "not here");
        let _gone = stream.write_all(&[Reply::NotHere.encode()]).await;
        return;
    };
    if stream.write_all(&[Reply::Yes.encode()]).await.is_err() || stream.flush().await.is_err() {
        return;
    }
    let notice = Notice::here(&door, pass.epoch());
    let (from_client, to_client) = tokio::io::split(stream);
    let (from_server, to_server) = server.into_split();
    let stopping = shared.tasks.token();
    tokio::select! {
        biased;
        () = pass.cut() => {}
        () = stopping.cancelled() => {}
        // Either side may end without a word.
        _ended = pass_to_server(&shared, &door, from_client, to_server) => {}
        _ended = pass_to_client(&shared, notice, from_server, to_client) => {}
    }
}

async fn open(shared: &Shared, question: Question) -> Option<(Arc<Door>, Pass, UnixStream)> {
    let entry = shared.table.load().database(question.database)?;
    if entry.is_suspended || !shared.doors.is_vouched() {
        return None;
    }
    let door = shared.doors.door(entry.dataset);
    let pass = door.enter(question.epoch)?;
    let server = connect(shared, question.database).await.ok()?;
    Some((door, pass, server))
}

async fn pass_to_server(
    shared: &Shared,
    door: &Door,
    mut from: ReadHalf<PeerStream>,
    mut to: OwnedWriteHalf,
) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    let mut tally = Tally::default();
    loop {
        let read = from.read(&mut buffer).await?;
        let bytes = buffer.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(());
        }
        until_vouched(shared).await;
        door.counters.count_statements(tally.feed(bytes));
        to.write_all(bytes).await?;
    }
}

async fn pass_to_client(
    shared: &Shared,
    mut notice: Notice,
    mut from: OwnedReadHalf,
    mut to: WriteHalf<PeerStream>,
) -> io::Result<()> {
    let mut buffer = vec![0; pipe::HEAD + PIECE];
    let mut told = Ending::default();
    loop {
        let ending = notice.ending();
        if ending != told {
            let now = shared.clock.now();
            to.write_all(&pipe::ending_frame(ending, now)).await?;
            to.flush().await?;
            told = ending;
        }
        let (head, room) = buffer.split_at_mut(pipe::HEAD);
        let read = tokio::select! {
            biased;
            () = notice.changed() => continue,
            read = from.read(room) => read?,
        };
        if read == 0 {
            return Ok(());
        }
        head.copy_from_slice(&pipe::bytes_head(read));
        to.write_all(buffer.get(..pipe::HEAD + read).unwrap_or_default())
            .await?;
        to.flush().await?;
    }
}

/// Waits until our own gates can be believed: a node that was frozen sends nothing to its servers
/// before it knows that it is still live.
pub(super) async fn until_vouched(shared: &Shared) {
    while !shared.doors.is_vouched() {
        tokio::time::sleep(VOUCH_PAUSE).await;
    }
}

/// Opens a session at this node's own server of a database.
///
/// # Errors
/// When it is not there, or does not take the session in time.
pub(super) async fn connect(shared: &Shared, database: DatabaseId) -> io::Result<UnixStream> {
    let path = shared.config.database_sockets.socket(database);
    let limit = shared.config.limits.connect;
    tokio::time::timeout(limit, UnixStream::connect(path))
        .await
        .unwrap_or_else(|_late| Err(io::ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_question_survives_the_wire(
            database in any::<u32>(), counter in any::<u32>(), node in any::<u16>(), boot in any::<u32>()
        ) {
            let question = Question {
                database: DatabaseId(database),
                epoch: Epoch { counter, node: NodeId(node), boot: BootId(boot) },
            };
            prop_assert_eq!(Question::parse(question.encode()), Some(question));
        }

        #[test]
        fn other_bytes_are_no_question(bytes in any::<[u8; QUESTION]>()) {
            prop_assume!(bytes[..4] != MAGIC);
            prop_assert_eq!(Question::parse(bytes), None);
        }
    }
}
