//! The nodes' journals from any node: which segments a node has, and their bytes, piece by piece.
//!
//! A journal may be larger than a call holds, and is never in memory as a whole: whoever wants it
//! asks for the list of segments, then for one piece after the other. What is written after the list
//! was made is not part of it.

use crate::node::malformed;
use crate::recorder::{read_piece, whole_segments};
use bytes::Bytes;
use futures::stream::{self, Stream};
use hwc_api::ids::NodeId;
use hwc_api::problem::{Problem, ProblemCode};
use hwc_group::Group;
use hwc_group::calls::CallError;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// The name of the call.
const JOURNAL_CALL: &str = "journal";
/// How long one answer may take: the list reads the whole journal once.
const CALL_LIMIT: Duration = Duration::from_secs(20);
/// Bytes of one piece: fits a call, and is what a download holds in memory.
const PIECE_BYTES: u64 = 256 * 1024;

/// What is asked of the node whose journal it is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Question {
    /// Which segments there are.
    List,
    /// Some bytes of one.
    Read(Piece),
}

/// Some bytes of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Piece {
    /// The segment's number.
    segment: u64,
    /// Where it begins.
    at: u64,
    /// Its length, bytes.
    bytes: u64,
}

/// A segment and how much of it is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WholeSegment {
    /// Counts up over all starts.
    pub number: u64,
    /// Bytes up to the end of its last whole block.
    pub bytes: u64,
}

/// The journals of all nodes.
#[derive(Debug, Clone)]
pub struct Journals {
    /// This node.
    pub me: NodeId,
    /// Where this node's journal is.
    pub folder: PathBuf,
    /// The other nodes.
    pub group: Group,
}

impl Journals {
    /// Answers the other nodes.
    pub fn answer_calls(&self) {
        let journals = self.clone();
        self.group.calls.answer(JOURNAL_CALL, move |_from, body| {
            let answer = serde_json::from_slice(&body)
                .map_err(|error| malformed(&error))
                .and_then(|question| journals.answer(&question));
            std::future::ready(answer)
        });
    }

    /// The length of a node's journal, and the journal piece by piece. A piece that can't be had
    /// any more ends it with an error.
    ///
    /// # Errors
    /// When the node does not answer, or can't read its journal.
    pub async fn read(
        &self,
        node: NodeId,
    ) -> Result<(u64, impl Stream<Item = io::Result<Bytes>> + Send + 'static), Problem> {
        let list = self.ask(node, &Question::List).await?;
        let segments: Vec<WholeSegment> =
            serde_json::from_slice(&list).map_err(|error| malformed(&error))?;
        let length = segments.iter().map(|segment| segment.bytes).sum();
        let journals = self.clone();
        let pieces = stream::try_unfold(pieces(&segments), move |mut left| {
            let journals = journals.clone();
            async move {
                let Some(piece) = left.pop_front() else {
                    return Ok(None);
                };
                let answer = journals.ask(node, &Question::Read(piece)).await;
                let bytes = answer.map_err(io::Error::other)?;
                Ok(Some((bytes, left)))
            }
        });
        Ok((length, pieces))
    }

    async fn ask(&self, node: NodeId, question: &Question) -> Result<Bytes, Problem> {
        if node == self.me {
            return self.answer(question);
        }
        let json = serde_json::to_vec(question).map_err(|error| malformed(&error))?;
        let calls = &self.group.calls;
        let called = calls
            .call(node, JOURNAL_CALL, json.into(), CALL_LIMIT)
            .await;
        called.map_err(|error| match error {
            CallError::Problem(problem) => problem,
            CallError::Dial(_)
            | CallError::TooLong
            | CallError::Deadline
            | CallError::Broken(_)
            | CallError::Form(_) => {
                tracing::info!(node.id = %node, %error, "its journal can't be had");
                let message = "The node does not answer. Its journal can be read on it: hwc record";
                Problem::new(ProblemCode::NodeDown, message).field("node")
            }
        })
    }

    fn answer(&self, question: &Question) -> Result<Bytes, Problem> {
        // Reads some megabytes from the page cache, seldom.
        let answer = tokio::task::block_in_place(|| match question {
            Question::List => {
                let segments = whole_segments(&self.folder)?;
                Ok(Bytes::from(serde_json::to_vec(&segments)?))
            }
            Question::Read(piece) => {
                let bytes = piece.bytes.min(PIECE_BYTES);
                read_piece(&self.folder, piece.segment, piece.at, bytes).map(Bytes::from)
            }
        });
        answer.map_err(|error: anyhow::Error| {
            tracing::error!(error = format!("{error:#}"), "read the journal");
            let message = "The journal can't be read; the node's log says why.";
            Problem::new(ProblemCode::Internal, message)
        })
    }
}

/// All pieces of a journal, in order.
fn pieces(segments: &[WholeSegment]) -> VecDeque<Piece> {
    let of = |segment: &WholeSegment| {
        let WholeSegment { number, bytes } = *segment;
        let starts = (0..bytes).step_by(usize::try_from(PIECE_BYTES).unwrap_or(usize::MAX));
        starts.map(move |at| Piece {
            segment: number,
            at,
            bytes: PIECE_BYTES.min(bytes - at),
        })
    };
    segments.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_are_the_whole_in_order() {
        let segments = [(1, 0), (2, 5), (4, PIECE_BYTES * 2 + 1)];
        let segments = segments.map(|(number, bytes)| WholeSegment { number, bytes });
        let shown: Vec<_> = pieces(&segments)
            .into_iter()
            .map(|piece| (piece.segment, piece.at, piece.bytes))
            .collect();
        let expected = [
            (2, 0, 5),
            (4, 0, PIECE_BYTES),
            (4, PIECE_BYTES, PIECE_BYTES),
            (4, PIECE_BYTES * 2, 1),
        ];
        assert_eq!(shown, expected);
    }
}
