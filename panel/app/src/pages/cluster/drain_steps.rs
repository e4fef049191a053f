//! The steps of a drain, in the words of who waits for it.

use crate::components::{Glyph, Icon};
use crate::i18n::format;
use crate::tr;
use hwc_api::v1::DrainView;
use leptos::prelude::*;

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

/// The card.
#[component]
pub fn DrainSteps(
    /// How it stands.
    drain: Signal<DrainView>,
    /// Datasets that were live on the node when the drain began.
    whole: Memo<u32>,
) -> impl IntoView {
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
                                let moved = format!(
                                    "{} / {}",
                                    format::number(drain.moved.into()),
                                    format::number(whole.get().into()),
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
            copies: Vec::new(),
            is_done,
            held: 0,
            longest_wait_ms: 0,
            failed: 0,
            remaining_ms: None,
            done_at: None,
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
