//! Single words of a script.

use hwc_api::ids::{DatasetId, NodeId};
use std::time::Duration;

pub(super) fn node(word: &str) -> Option<NodeId> {
    word.parse().ok()
}

pub(super) fn nodes(words: &[&str]) -> Option<Vec<NodeId>> {
    words.iter().map(|word| node(word)).collect()
}

pub(super) fn dataset(word: &str) -> Option<DatasetId> {
    word.parse().ok()
}

pub(super) fn amount(word: &str) -> Option<u32> {
    word.parse().ok()
}

/// `300ms`, `5s` or `10min`.
pub(super) fn span(word: &str) -> Option<Duration> {
    let number = |unit| word.strip_suffix(unit)?.parse::<u64>().ok();
    number("ms")
        .map(Duration::from_millis)
        .or_else(|| number("min").map(|minutes| Duration::from_secs(minutes * 60)))
        .or_else(|| number("s").map(Duration::from_secs))
}
