//! Why a site is where it is: what its node says of each part, its newest decisions and, for
//! administrators, the nodes that were weighed, with their scores.

use super::icon::{Glyph, Icon};
use super::moment::Moment;
use super::refusal_banner::RefusalBanner;
use super::skeleton::Skeleton;
use crate::actions::explain_site;
use crate::i18n::format;
use crate::live::{Live, site_datasets, use_live};
use crate::move_text;
use crate::tr;
use hwc_api::explanation::{Candidate, DatasetExplanation, Explanation};
use hwc_api::ids::DatasetId;
use hwc_api::v1::{DatasetView, SiteView};
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
                        Ok(Ok(explanation)) => parts(live, site, &explanation).into_any(),
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

/// Every part of the site: what was explained, then what no node knows of.
fn parts(live: Live, site: Signal<SiteView>, explanation: &Explanation) -> impl IntoView + use<> {
    let explained = &explanation.datasets;
    let told = explained
        .iter()
        .map(|part| explained_part(live, site, part))
        .collect_view();
    let untold = site.with_untracked(|site| {
        let all = site_datasets(site);
        all.filter(|dataset| explained.iter().all(|part| part.dataset != dataset.id))
            .map(|dataset| untold_part(site, dataset))
            .collect_view()
    });
    view! {
        {told}
        {untold}
    }
}

/// What a dataset holds.
fn name(site: &SiteView, dataset: DatasetId) -> String {
    let mut databases = site.databases.iter();
    let of_database = databases.find(|database| database.dataset.id == dataset);
    of_database.map_or_else(
        || tr!("size-files"),
        |database| tr!("why-database", database = database.name.to_string()),
    )
}

/// A part that the node that was asked knows nothing of: what is known without it.
fn untold_part(site: &SiteView, dataset: &DatasetView) -> impl IntoView + use<> {
    let text = match &dataset.live_node {
        Some(node) => tr!("why-untold-live", node = node.name.to_string()),
        None => tr!("why-untold"),
    };
    view! {
        <div class="card-b part">
            <h3>{name(site, dataset.id)}</h3>
            <ul class="plain-l">
                <li>
                    <Icon glyph=Glyph::Info/>
                    <span>{text}</span>
                </li>
            </ul>
        </div>
    }
}

fn explained_part(
    live: Live,
    site: Signal<SiteView>,
    part: &DatasetExplanation,
) -> impl IntoView + use<> {
    let name = site.with_untracked(|site| name(site, part.dataset));
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
        .enumerate()
        .map(|(place, decision)| {
            // What the newest one chose from; older ones are in the journal.
            let chosen_from = (place == 0 && !decision.candidates.is_empty()).then(|| {
                view! {
                    <details>
                        <summary>{tr!("why-chosen-from")}</summary>
                        {weighed(live, &decision.candidates)}
                    </details>
                }
            });
            view! {
                <li>
                    <Icon glyph=Glyph::Clock/>
                    <div class="two grow">
                        <span>{move_text::decision(live, decision)}</span>
                        <small><Moment at=decision.at/></small>
                        {chosen_from}
                    </div>
                </li>
            }
        })
        .collect_view();
    let candidates = (!part.candidates.is_empty()).then(|| {
        view! {
            <details class="card-b part">
                <summary>{tr!("why-candidates")}</summary>
                {weighed(live, &part.candidates)}
            </details>
        }
    });
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

/// Nodes that were weighed, best first.
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
                    <td class="num" data-l=tr!("column-score")>
                        {candidate.score.map_or_else(|| "–".to_owned(), format::number)}
                    </td>
                    <td class="num" data-l=tr!("column-load")>
                        {tr!("percent", value = candidate.load_percent)}
                    </td>
                    <td class="num" data-l=tr!("column-free")>{format::bytes(candidate.free_bytes)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="tbl-w">
            <table class="tbl fold dense">
                <thead>
                    <tr>
                        <th scope="col">{tr!("column-node")}</th>
                        <th scope="col">{tr!("column-verdict")}</th>
                        <th scope="col" class="num">{tr!("column-score")}</th>
                        <th scope="col" class="num">{tr!("column-load")}</th>
                        <th scope="col" class="num">{tr!("column-free")}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
        <p class="sm muted">{tr!("why-score-hint")}</p>
    }
}
