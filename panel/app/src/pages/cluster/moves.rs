//! Moves of the whole cluster: what is planned and goes on, then the receipts.

use crate::components::{Crumb, Glyph, Icon, MovesCard, Place, ReceiptTable, Screen};
use crate::live::use_live;
use crate::tr;
use leptos::prelude::*;

/// The most receipts that are listed.
const RECEIPTS: usize = 100;

/// The page.
#[component]
pub fn MovesPage() -> impl IntoView {
    let live = use_live();
    let title = tr!("moves-title");
    let none_under_way = Memo::new(move |_| live.moves.with(|moves| moves.is_empty()));
    // Those under way have a card of their own here, where they can be held.
    let under_way = Signal::stored(Vec::new());
    let ended = Memo::new(move |_| {
        live.receipts.with(|receipts| {
            let newest_first = receipts.values().rev();
            newest_first.take(RECEIPTS).cloned().collect::<Vec<_>>()
        })
    });
    view! {
        <Screen title=Signal::stored(title.clone()) place=Place::Moves crumbs=vec![Crumb::here(title.clone())]>
            <div class="page-h">
                <h1>{title}</h1>
                <span class="push"></span>
                <div class="acts row">
                    <a class="btn" href="/balancing">
                        <Icon glyph=Glyph::Gauge/>
                        {tr!("balancing-title")}
                    </a>
                </div>
            </div>
            <div class="stackv">
                {move || {
                    none_under_way
                        .get()
                        .then(|| {
                            view! {
                                <section class="card">
                                    <div class="card-b">
                                        <p class="st big" data-s="ok">
                                            <Icon glyph=Glyph::Done/>
                                            <span>{tr!("moves-none")}</span>
                                        </p>
                                    </div>
                                </section>
                            }
                        })
                }}
                <MovesCard/>
                <ReceiptTable under_way ended none=tr!("moves-none-yet") has_from=true/>
            </div>
        </Screen>
    }
    .into_any()
}
