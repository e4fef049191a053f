//! Every waiting time of the ownership protocol, with its reason. All in milliseconds.

use serde::{Deserialize, Serialize};

/// Waiting times. [`Timers::lan`] suits nodes of one data centre, [`Timers::wan`] nodes far apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timers {
    /// After a boot or a gap, a node listens this long before it claims anything, unless all
    /// other holders of the dataset were heard sooner.
    pub hear_ms: u64,
    /// As `hear_ms`, where not one of the other holders was heard: after a power cut a fresher
    /// copy gets time to speak first. Also how long a holder that the failure detector calls alive
    /// may stay unheard before it counts as out of reach.
    pub alone_ms: u64,
    /// Delay of a claim per place in the ranking of equally good holders, so that the first one's
    /// claim is seen before the second one starts its own.
    pub rank_delay_ms: u64,
    /// How long a round waits for the answers of the holders in reach; a silent one then counts as
    /// out of reach for this round.
    pub ask_ms: u64,
    /// First back-off after a claim that was given up; doubles with each.
    pub backoff_first_ms: u64,
    /// Longest back-off after a claim that was given up.
    pub backoff_longest_ms: u64,
    /// A claim given up longer ago than this no longer lengthens the back-off.
    pub backoff_forget_ms: u64,
    /// Longest time with the gate closed in a planned move before the move is called off.
    pub drain_ms: u64,
    /// Longest time a planned move may spend on bringing its target up to date while serving.
    pub precopy_ms: u64,
    /// First delay before a stream that failed is sent again; doubles with each failure.
    pub resend_first_ms: u64,
    /// Longest delay before a stream that failed is sent again.
    pub resend_longest_ms: u64,
    /// Delay before a local operation (filing, rolling back, dropping) that failed is tried again.
    pub retry_operation_ms: u64,
    /// How often a divergent copy or a grant is offered again while its receiver doesn't show it.
    pub offer_again_ms: u64,
    /// How long a node that is to get its first copy of a dataset for a move may take.
    pub full_copy_ms: u64,
    /// How long a move is shown to the other nodes before it begins, so that nodes that decide at
    /// the same time see each other's.
    pub announce_ms: u64,
    /// How long a node must have been up and well before sites are moved to it unasked.
    pub steady_ms: u64,
    /// After a move that was called off, the same is not decided again for so long.
    pub retry_move_ms: u64,
    /// After so long a node that is down counts as lost: its copies are made anew elsewhere. Much
    /// longer than a restart takes.
    pub rehome_after_ms: u64,
    /// How long a set with too many members is left alone before it is trimmed: a member may have
    /// been added for a move that is not known yet.
    pub trim_after_ms: u64,
    /// How often a change of a set is proposed again while nothing comes of it.
    pub propose_again_ms: u64,
    /// How long anchors may have moved on before the row that keeps them is written again. An
    /// older anchor only keeps a snapshot for longer.
    pub save_anchors_ms: u64,
}

impl Timers {
    /// For nodes in one data centre: round trips below a few milliseconds.
    #[must_use]
    pub const fn lan() -> Self {
        Self {
            hear_ms: 3_000,
            alone_ms: 30_000,
            rank_delay_ms: 300,
            ask_ms: 2_000,
            backoff_first_ms: 500,
            backoff_longest_ms: 30_000,
            backoff_forget_ms: 600_000,
            drain_ms: 5_000,
            precopy_ms: 300_000,
            resend_first_ms: 500,
            resend_longest_ms: 30_000,
            retry_operation_ms: 5_000,
            offer_again_ms: 10_000,
            full_copy_ms: 4 * 3_600_000,
            announce_ms: 3_000,
            steady_ms: 60_000,
            retry_move_ms: 60_000,
            rehome_after_ms: 600_000,
            trim_after_ms: 30_000,
            propose_again_ms: 10_000,
            save_anchors_ms: 30_000,
        }
    }

    /// For nodes in different data centres: round trips up to a few hundred milliseconds.
    #[must_use]
    pub const fn wan() -> Self {
        Self {
            hear_ms: 10_000,
            alone_ms: 120_000,
            rank_delay_ms: 1_500,
            ask_ms: 8_000,
            backoff_first_ms: 2_000,
            backoff_longest_ms: 120_000,
            backoff_forget_ms: 600_000,
            drain_ms: 15_000,
            precopy_ms: 900_000,
            resend_first_ms: 2_000,
            resend_longest_ms: 60_000,
            retry_operation_ms: 5_000,
            offer_again_ms: 30_000,
            full_copy_ms: 24 * 3_600_000,
            announce_ms: 10_000,
            steady_ms: 120_000,
            retry_move_ms: 120_000,
            rehome_after_ms: 1_800_000,
            trim_after_ms: 60_000,
            propose_again_ms: 30_000,
            save_anchors_ms: 30_000,
        }
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self::lan()
    }
}
