//! MySQL sessions between nodes: a few bytes that say what is asked for, then the server's own
//! protocol.

use crate::gates::Pass;
use crate::shared::Shared;
use hwc_api::ids::{BootId, DatabaseId, NodeId};
use hwc_api::ownership::Epoch;
use hwc_runtime::dial::PeerStream;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// First bytes of the question; the digit is its version.
const MAGIC: [u8; 4] = *b"HWM1";
/// Bytes of the question: magic, database, epoch's counter, node and boot.
const QUESTION: usize = 18;
/// Bytes copied at a time in each direction.
pub(super) const COPY_BYTES: usize = 64 * 1024;

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
    let Some((pass, mut server)) = open(&shared, question).await else {
        tracing::debug!(%peer, database = %question.database, epoch = %question.epoch, "not here");
        let _gone = stream.write_all(&[Reply::NotHere.encode()]).await;
        return;
    };
    if stream.write_all(&[Reply::Yes.encode()]).await.is_err() {
        return;
    }
    let stopping = shared.tasks.token();
    tokio::select! {
        biased;
        () = pass.cut() => {}
        () = stopping.cancelled() => {}
        // Either side may end without a word.
        _ended = tokio::io::copy_bidirectional_with_sizes(
            &mut stream, &mut server, COPY_BYTES, COPY_BYTES,
        ) => {}
    }
}

async fn open(shared: &Shared, question: Question) -> Option<(Pass, UnixStream)> {
    let entry = shared.table.load().database(question.database)?;
    if entry.is_suspended || !shared.doors.is_vouched() {
        return None;
    }
    let pass = shared.doors.door(entry.dataset).enter(question.epoch)?;
    let server = connect(shared, question.database).await.ok()?;
    Some((pass, server))
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
