//! Sites as a table; on narrow screens as a list.

use super::badge::StateBadge;
use super::protection_line::ProtectionLine;
use crate::i18n::format;
use crate::live::use_live;
use crate::protection::Protection;
use crate::site_text;
use crate::tr;
use hwc_api::ids::SiteId;
use hwc_api::v1::SiteView;
use leptos::prelude::*;

/// The table.
#[component]
pub fn SiteTable(
    /// Which sites, in order.
    #[prop(into)]
    ids: Signal<Vec<SiteId>>,
    /// Whether it says whose they are.
    #[prop(optional)]
    with_owner: bool,
) -> impl IntoView {
    view! {
        <div class="card tbl-w">
            <table class="tbl fold">
                <thead>
                    <tr>
                        <th scope="col">{tr!("column-site")}</th>
                        <th scope="col">{tr!("column-state")}</th>
                        {with_owner.then(|| view! { <th scope="col">{tr!("column-owner")}</th> })}
                        <th scope="col">{tr!("column-live-on")}</th>
                        <th scope="col">{tr!("column-protection")}</th>
                        <th scope="col" class="num">{tr!("column-size")}</th>
                    </tr>
                </thead>
                <tbody>
                    <For each=move || ids.get() key=|id| *id let:id>
                        <Row id with_owner/>
                    </For>
                </tbody>
            </table>
        </div>
    }
    .into_any()
}

#[component]
fn Row(id: SiteId, with_owner: bool) -> impl IntoView {
    let site = use_live().site(Some(id));
    let of = move |read: fn(&SiteView) -> String| {
        site.with(|site| site.as_ref().map(read).unwrap_or_default())
    };
    move || {
        let known = site.with(Option::is_some);
        known.then(|| {
            let state = Signal::derive(move || {
                site.with(|site| {
                    site.as_ref()
                        .map_or(hwc_api::v1::LiveState::Down, |site| site.state)
                })
            });
            let protection = Signal::derive(move || {
                site.with(|site| site.as_ref().map_or(Protection::None, Protection::of_site))
            });
            view! {
                <tr>
                    <td>
                        <div class="row gap-3">
                            <span class="tile" aria-hidden="true">
                                {move || format::initials(&of(|site| site.title.clone()))}
                            </span>
                            <div class="two">
                                <a class="t trunc" href=format!("/sites/{id}")>
                                    <bdi>{move || of(|site| site.title.clone())}</bdi>
                                </a>
                                <small>{move || of(|site| site_text::runs(site, false))}</small>
                            </div>
                        </div>
                    </td>
                    <td class="state"><StateBadge state/></td>
                    {with_owner
                        .then(|| {
                            view! {
                                <td data-l=tr!("column-owner")>
                                    <bdi>{move || of(|site| site.account_name.clone())}</bdi>
                                </td>
                            }
                        })}
                    <td data-l=tr!("column-live-on")>{move || of(live_node)}</td>
                    <td class="full" data-l=tr!("column-protection")><ProtectionLine protection/></td>
                    <td class="num" data-l=tr!("column-size")>{move || of(size)}</td>
                </tr>
            }
        })
    }
}

fn live_node(site: &SiteView) -> String {
    site.files
        .live_node
        .as_ref()
        .map_or_else(|| tr!("nowhere"), |node| node.name.to_string())
}

fn size(site: &SiteView) -> String {
    let databases = site.databases.iter().map(|database| &database.dataset);
    let datasets = std::iter::once(&site.files).chain(databases);
    format::bytes(datasets.map(|dataset| dataset.used_bytes).sum())
}
