//! The numbers of a drain: how many moved, who waited, what failed, how long it takes.

use crate::components::{Bar, Moment};
use crate::i18n::format;
use crate::live::use_live;
use crate::tone::Tone;
use crate::tr;
use hwc_api::moves::MovePhase;
use hwc_api::v1::DrainView;
use leptos::prelude::*;

/// The card.
#[component]
pub fn DrainNumbers(
    /// How it stands.
    drain: Signal<DrainView>,
    /// Datasets that were live on the node when the drain began.
    whole: Memo<u32>,
) -> impl IntoView {
    let live = use_live();
    let id = drain.with_untracked(|drain| drain.node.id);
    let moving = Memo::new(move |_| {
        live.moves.with(|moves| {
            let leaving = moves
                .values()
                .filter(|view| view.from.id == id && view.of.phase != MovePhase::Planned);
            u32::try_from(leaving.count()).unwrap_or(u32::MAX)
        })
    });
    let percent = Signal::derive(move || match whole.get() {
        0 => 100,
        whole => format::percent(drain.with(|drain| drain.moved).into(), whole.into()),
    });
    let moving_percent =
        Signal::derive(move || format::percent(u64::from(moving.get()), u64::from(whole.get())));
    let is_done = Memo::new(move |_| drain.with(|drain| drain.is_done));
    let has_end = Memo::new(move |_| drain.with(|drain| drain.done_at.is_some()));
    let end = Signal::derive(move || drain.with(|drain| drain.done_at).unwrap_or_default());
    let staying = move || {
        drain
            .with(|drain| drain.live_left)
            .saturating_sub(moving.get())
    };
    view! {
        <section class="card">
            <div class="card-b stackv gap-3">
                <div class="rcpt-n">
                    <div>
                        <div class="stat-l">{tr!("drain-moved")}</div>
                        <div class="stat-v">
                            {move || format::number(drain.with(|drain| drain.moved).into())}
                            <small>{move || tr!("of-all", count = format::number(whole.get().into()))}</small>
                        </div>
                    </div>
                    <div>
                        <div class="stat-l">{tr!("drain-waited")}</div>
                        <div class="stat-v">
                            {move || format::number(drain.with(|drain| drain.held).into())}
                            <small>
                                {move || {
                                    drain
                                        .with(|drain| {
                                            (drain.held > 0)
                                                .then(|| {
                                                    tr!("drain-longest", time = format::wait(drain.longest_wait_ms.into()))
                                                })
                                        })
                                }}
                            </small>
                        </div>
                    </div>
                    <div>
                        <div class="stat-l">{tr!("column-failed")}</div>
                        <div class="stat-v">{move || format::number(drain.with(|drain| drain.failed).into())}</div>
                    </div>
                    <div>
                        <div class="stat-l">{move || left_title(is_done.get())}</div>
                        <div class="stat-v">
                            {move || drain.with(remaining)}
                            {move || {
                                has_end
                                    .get()
                                    .then(|| view! { <small>{tr!("drain-end-at")} " " <Moment at=end is_about=true/></small> })
                            }}
                        </div>
                    </div>
                </div>
                <div
                    role="progressbar"
                    aria-label=tr!("drain-moved")
                    aria-valuemin="0"
                    aria-valuemax="100"
                    aria-valuenow=move || percent.get().to_string()
                >
                    <Bar percent tone=Tone::Ok thick=true moving=moving_percent/>
                </div>
                <div class="lgd">
                    <span>
                        <i class="k-live"></i>
                        {move || tr!("drain-elsewhere", count = drain.with(|drain| drain.moved))}
                    </span>
                    <span><i class="k-move"></i>{move || tr!("drain-moving", count = moving.get())}</span>
                    <span><i class="k-rest"></i>{move || tr!("drain-still-here", count = staying())}</span>
                </div>
            </div>
        </section>
    }
    .into_any()
}

/// What the last number is called.
fn left_title(is_done: bool) -> String {
    if is_done {
        tr!("drain-left")
    } else {
        tr!("drain-remaining")
    }
}

fn remaining(drain: &DrainView) -> String {
    match drain.remaining_ms {
        _ if drain.is_done => tr!("drain-nothing-left"),
        Some(left) if left > 0 => format::about(left),
        _waits_for_copies if drain.live_left == 0 => tr!("drain-waits-for-copies"),
        _unknown_yet => tr!("drain-unknown-yet"),
    }
}
