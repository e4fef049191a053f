//! How the emptying of a node goes: numbers, steps, copies, receipts, all live.

use super::drain_receipts::DrainReceipts;
use crate::actions::UndrainNode;
use crate::components::{Badge, Bar, Glyph, Icon, Moment, RefusalBanner};
use crate::i18n::format;
use crate::live::use_live;
use crate::pages::{refusal_of, sign_in_when_asked};
use crate::tone::Tone;
use crate::tr;
use hwc_api::moves::MovePhase;
use hwc_api::v1::DrainView;
use leptos::form::ActionForm;
use leptos::prelude::*;

/// Everything about a drain.
#[component]
pub fn DrainProgress(title: Signal<String>, drain: Signal<DrainView>) -> impl IntoView {
    let is_done = Memo::new(move |_| drain.with(|drain| drain.is_done));
    let (since, by, note) = drain.with_untracked(|drain| {
        (
            drain.drain.since,
            drain.by_name.clone(),
            drain.drain.note.clone(),
        )
    });
    view! {
        <div class="page-h">
            <h1>{move || title.get()}</h1>
            {move || {
                if is_done.get() {
                    view! { <Badge tone=Tone::Ok glyph=Glyph::Done word=tr!("drain-is-done")/> }
                } else {
                    view! { <Badge tone=Tone::Move glyph=Glyph::Working word=tr!("drain-goes-on")/> }
                }
            }}
            <span class="muted s13 wraps">
                {tr!("drain-began")} " " <Moment at=since/> " " {tr!("drain-by", name = by)}
                {(!note.is_empty()).then(|| view! { " · " <bdi>{note}</bdi> })}
            </span>
            <span class="push"></span>
            <Undrain drain is_done/>
        </div>
        <div class="stackv">
            <Numbers drain/>
            <div class="grid drain">
                <div class="stackv">
                    <Steps drain/>
                    <Copies drain/>
                </div>
                <DrainReceipts drain/>
            </div>
        </div>
    }
    .into_any()
}

/// Puts the node back to use.
#[component]
fn Undrain(drain: Signal<DrainView>, is_done: Memo<bool>) -> impl IntoView {
    let undrain = ServerAction::<UndrainNode>::new();
    let refusal = refusal_of(undrain);
    sign_in_when_asked(refusal);
    let id = drain.with_untracked(|drain| drain.node.id);
    view! {
        <div class="acts row">
            <RefusalBanner refusal/>
            <ActionForm action=undrain>
                <input type="hidden" name="node" value=id.to_string()/>
                <button
                    class="btn"
                    aria-busy=move || undrain.pending().get().then_some("true")
                    disabled=move || undrain.pending().get()
                >
                    <Icon glyph=Glyph::Undo/>
                    {move || if is_done.get() { tr!("drain-undo") } else { tr!("drain-stop") }}
                </button>
            </ActionForm>
        </div>
    }
    .into_any()
}

/// How many have moved, who waited, what failed, how long it takes.
#[component]
fn Numbers(drain: Signal<DrainView>) -> impl IntoView {
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
    let whole = move || drain.with(|drain| drain.moved.saturating_add(drain.live_left));
    let percent = Signal::derive(move || {
        drain.with(|drain| {
            let whole = drain.moved.saturating_add(drain.live_left);
            if whole == 0 {
                100
            } else {
                format::percent(drain.moved.into(), whole.into())
            }
        })
    });
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
                            <small>{move || tr!("of-all", count = format::number(whole().into()))}</small>
                        </div>
                    </div>
                    <div>
                        <div class="stat-l">{tr!("drain-waited")}</div>
                        <div class="stat-v">
                            {move || format::number(drain.with(|drain| drain.held).into())}
                            <small>
                                {move || {
                                    let longest = drain.with(|drain| drain.longest_wait_ms);
                                    tr!("drain-longest", time = format::duration(longest.into()))
                                }}
                            </small>
                        </div>
                    </div>
                    <div>
                        <div class="stat-l">{tr!("column-failed")}</div>
                        <div class="stat-v">{move || format::number(drain.with(|drain| drain.failed).into())}</div>
                    </div>
                    <div>
                        <div class="stat-l">{tr!("drain-remaining")}</div>
                        <div class="stat-v">{move || drain.with(remaining)}</div>
                    </div>
                </div>
                <div
                    role="progressbar"
                    aria-label=tr!("drain-moved")
                    aria-valuemin="0"
                    aria-valuemax="100"
                    aria-valuenow=move || percent.get().to_string()
                >
                    <Bar percent tone=Tone::Ok thick=true/>
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

fn remaining(drain: &DrainView) -> String {
    match drain.remaining_ms {
        _ if drain.is_done => tr!("drain-nothing-left"),
        Some(left) if left > 0 => format::duration(left),
        _waits_for_copies if drain.live_left == 0 => tr!("drain-waits-for-copies"),
        _unknown_yet => tr!("drain-unknown-yet"),
    }
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Now,
    Done,
}

/// Where the last three steps stand: moving, copying, ready.
const fn stages(drain: &DrainView) -> [Stage; 3] {
    if drain.is_done {
        return [Stage::Done, Stage::Done, Stage::Done];
    }
    if drain.live_left > 0 {
        [Stage::Now, Stage::Waiting, Stage::Waiting]
    } else {
        [Stage::Done, Stage::Now, Stage::Waiting]
    }
}

#[component]
fn Steps(drain: Signal<DrainView>) -> impl IntoView {
    let step = |stage: Stage, title: String, beside: String, below: Option<String>| {
        let (state, glyph, class) = match stage {
            Stage::Waiting => ("wait", Glyph::Waiting, ""),
            Stage::Now => ("now", Glyph::Working, "spin"),
            Stage::Done => ("ok", Glyph::Done, ""),
        };
        view! {
            <li data-s=state>
                <Icon glyph class/>
                <b>{title}</b>
                <span class="t">{beside}</span>
                {below.map(|below| view! { <small>{below}</small> })}
            </li>
        }
    };
    view! {
        <section class="card">
            <div class="card-h"><h2>{tr!("drain-steps")}</h2></div>
            <div class="card-b">
                <ol class="steps" aria-live="polite">
                    {move || {
                        drain
                            .with(|drain| {
                                let [moving, copying, ready] = stages(drain);
                                let checked = if drain.drain.may_lack_copies {
                                    tr!("drain-step-checked-fewer")
                                } else {
                                    tr!("drain-step-checked")
                                };
                                let whole = drain.moved.saturating_add(drain.live_left);
                                let moved = format!(
                                    "{} / {}",
                                    format::number(drain.moved.into()),
                                    format::number(whole.into()),
                                );
                                let copies = (drain.copies_left > 0)
                                    .then(|| {
                                        tr!(
                                            "drain-copies-left", count = drain.copies_left, size = format::bytes(drain.copies_left_bytes)
                                        )
                                    });
                                view! {
                                    {step(Stage::Done, tr!("drain-step-check"), String::new(), Some(checked))}
                                    {step(Stage::Done, tr!("drain-step-stop"), String::new(), None)}
                                    {step(moving, tr!("drain-step-move"), moved, None)}
                                    {step(copying, tr!("drain-step-copy"), String::new(), copies)}
                                    {step(
                                        ready,
                                        tr!("drain-step-ready"),
                                        String::new(),
                                        Some(tr!("drain-step-ready-text", node = drain.node.name.to_string())),
                                    )}
                                }
                            })
                    }}
                </ol>
            </div>
        </section>
    }
    .into_any()
}

/// Whether every dataset has the copies that it should have.
#[component]
fn Copies(drain: Signal<DrainView>) -> impl IntoView {
    view! {
        <section class="card">
            <div class="card-h"><h2>{tr!("drain-copies")}</h2></div>
            <div class="card-b stackv gap-3">
                {move || {
                    drain
                        .with(|drain| {
                            let (tone, glyph, text) = if drain.lacking_copies == 0 {
                                ("ok", Glyph::Check, tr!("drain-copies-whole"))
                            } else {
                                ("warn", Glyph::Warning, tr!("drain-copies-lacking", count = drain.lacking_copies))
                            };
                            view! {
                                <p class="st" data-s=tone>
                                    <Icon glyph/>
                                    <span>{text}</span>
                                </p>
                            }
                        })
                }}
                <p class="sm muted">{tr!("drain-copies-hint")}</p>
            </div>
        </section>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_api::desired::Drain;
    use hwc_api::ids::{AccountId, NodeId};
    use hwc_api::names::NodeName;
    use hwc_api::time::WallTime;
    use hwc_api::v1::NodeRef;

    fn drain(live_left: u32, is_done: bool) -> DrainView {
        DrainView {
            node: NodeRef {
                id: NodeId(6),
                name: NodeName::parse("n6").unwrap(),
            },
            drain: Drain {
                by: AccountId(1),
                since: WallTime(0),
                note: String::new(),
                may_lack_copies: false,
            },
            by_name: String::new(),
            moved: 3,
            live_left,
            copies_left: 1,
            copies_left_bytes: 9,
            lacking_copies: 0,
            is_done,
            held: 0,
            longest_wait_ms: 0,
            failed: 0,
            remaining_ms: None,
        }
    }

    #[test]
    fn copies_are_waited_for_once_nothing_is_live_any_more() {
        use Stage::{Done, Now, Waiting};
        assert_eq!(stages(&drain(2, false)), [Now, Waiting, Waiting]);
        assert_eq!(stages(&drain(0, false)), [Done, Now, Waiting]);
        assert_eq!(stages(&drain(0, true)), [Done, Done, Done]);
    }
}
