//! Why a site is where it is: what its node says of each part, its newest decisions and, for
//! administrators, the nodes that were weighed.

use super::icon::{Glyph, Icon};
use super::moment::Moment;
use super::refusal_banner::RefusalBanner;
use super::skeleton::Skeleton;
use crate::actions::explain_site;
use crate::i18n::format;
use crate::live::{Live, site_datasets, use_live};
use crate::move_text;
use crate::tr;
use hwc_api::explanation::{Candidate, DatasetExplanation};
use hwc_api::v1::SiteView;
use leptos::prelude::*;

/// The newest decisions that are told of each part.
const DECISIONS: usize = 3;

/// The card.
#[component]
pub fn WhyHere(
    /// The site, as it stands.
    site: Signal<SiteView>,
) -> impl IntoView {
    let live = use_live();
    let id = site.with_untracked(|site| site.id);
    // Asked for anew when the site goes live elsewhere, or is pinned.
    let place = Memo::new(move |_| {
        site.with(|site| {
            let nodes: Vec<_> = site_datasets(site)
                .map(|dataset| dataset.live_node.clone())
                .collect();
            (nodes, site.pin.clone(), site.hold_until)
        })
    });
    let explanation = Resource::new(move || place.get(), move |_| explain_site(id));
    view! {
        <section class="card">
            <div class="card-h"><h2>{tr!("why-title")}</h2></div>
            <Suspense fallback=|| view! { <Skeleton/> }>
                {move || Suspend::new(async move {
                    match explanation.await {
                        Ok(Ok(explanation)) => {
                            let parts = explanation.datasets.iter();
                            parts.map(|part| explained(live, site, part)).collect_view().into_any()
                        }
                        Ok(Err(refusal)) | Err(refusal) => {
                            view! {
                                <div class="card-b"><RefusalBanner refusal=Signal::stored(Some(refusal))/></div>
                            }
                                .into_any()
                        }
                    }
                })}
            </Suspense>
        </section>
    }
    .into_any()
}

fn explained(
    live: Live,
    site: Signal<SiteView>,
    part: &DatasetExplanation,
) -> impl IntoView + use<> {
    let name = site.with_untracked(|site| {
        let of_database = site
            .databases
            .iter()
            .find(|database| database.dataset.id == part.dataset);
        of_database.map_or_else(
            || tr!("size-files"),
            |database| tr!("why-database", database = database.name.to_string()),
        )
    });
    let obstacle = part.obstacle.map(|obstacle| {
        view! {
            <li>
                <Icon glyph=Glyph::Info/>
                <span>{tr!("why-stays", reason = move_text::obstacle(obstacle))}</span>
            </li>
        }
    });
    let decisions = part
        .decisions
        .iter()
        .take(DECISIONS)
        .map(|decision| {
            view! {
                <li>
                    <Icon glyph=Glyph::Clock/>
                    <span class="two grow">
                        <span>{move_text::decision(live, decision)}</span>
                        <small><Moment at=decision.at/></small>
                    </span>
                </li>
            }
        })
        .collect_view();
    let candidates = (!part.candidates.is_empty()).then(|| weighed(live, &part.candidates));
    view! {
        <div class="card-b part">
            <h3>{name}</h3>
            <ul class="plain-l">
                <li>
                    <Icon glyph=Glyph::Node/>
                    <span>{move_text::holder(part, live.node_name(part.by))}</span>
                </li>
                {obstacle}
                {decisions}
            </ul>
        </div>
        {candidates}
    }
}

/// The nodes where it could go, best first, folded away.
fn weighed(live: Live, candidates: &[Candidate]) -> impl IntoView + use<> {
    let rows = candidates
        .iter()
        .map(|candidate| {
            let verdict = match (candidate.unfit, candidate.has_copy) {
                (Some(unfit), _) => move_text::unfit(unfit),
                (None, true) => tr!("candidate-copy"),
                (None, false) => tr!("candidate-fit"),
            };
            view! {
                <tr>
                    <td class="b"><bdi>{live.node_name(candidate.node)}</bdi></td>
                    <td class="full" data-l=tr!("column-verdict")>{verdict}</td>
                    <td class="num" data-l=tr!("column-load")>
                        {tr!("percent", value = candidate.load_percent)}
                    </td>
                    <td class="num" data-l=tr!("column-free")>{format::bytes(candidate.free_bytes)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <details class="card-b part">
            <summary>{tr!("why-candidates")}</summary>
            <div class="tbl-w">
                <table class="tbl fold dense">
                    <thead>
                        <tr>
                            <th scope="col">{tr!("column-node")}</th>
                            <th scope="col">{tr!("column-verdict")}</th>
                            <th scope="col" class="num">{tr!("column-load")}</th>
                            <th scope="col" class="num">{tr!("column-free")}</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </details>
    }
}
