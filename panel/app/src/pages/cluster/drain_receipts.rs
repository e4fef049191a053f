//! What left a node that is being emptied: moves under way first, then receipts, the newest first.

use crate::components::ReceiptTable;
use crate::live::use_live;
use crate::tr;
use hwc_api::v1::DrainView;
use leptos::prelude::*;

/// The most receipts that are listed.
const RECEIPTS: usize = 50;

/// The card.
#[component]
pub fn DrainReceipts(drain: Signal<DrainView>) -> impl IntoView {
    let live = use_live();
    let (node, since) = drain.with_untracked(|drain| (drain.node.id, drain.drain.since));
    let under_way = Memo::new(move |_| {
        live.moves.with(|moves| {
            let leaving = moves.values().filter(|view| view.from.id == node);
            leaving.cloned().collect::<Vec<_>>()
        })
    });
    let ended = Memo::new(move |_| {
        live.receipts.with(|receipts| {
            let newest_first = receipts.values().rev();
            newest_first
                .filter(|view| view.from.id == node && view.of.report.ended_at >= since)
                .take(RECEIPTS)
                .cloned()
                .collect::<Vec<_>>()
        })
    });
    view! { <ReceiptTable under_way ended none=tr!("receipts-none")/> }
}
