//! What a node's brain saw and decided, as a file.

use crate::ids::NodeId;

/// `GET /nodes/{id}/journal`: the node's whole journal, from any node (administrators). Not JSON:
/// bytes that `hwc replay` reads, at most some 70 MiB; an answer that breaks off is incomplete.
#[must_use]
pub fn journal_path(node: NodeId) -> String {
    format!("/nodes/{node}/journal")
}

/// The type of the answer.
pub const JOURNAL_MEDIA_TYPE: &str = "application/vnd.hwc.journal";
