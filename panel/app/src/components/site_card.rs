//! A site on the first page: its state, where it is, how well it is protected.

use super::badge::StateBadge;
use super::bar::Bar;
use super::icon::{Glyph, Icon};
use super::protection_line::ProtectionLine;
use crate::i18n::format;
use crate::job_text;
use crate::page_data::is_running;
use crate::protection::Protection;
use crate::site_text;
use crate::tone::Tone;
use crate::tr;
use hwc_api::v1::SiteView;
use leptos::prelude::*;

/// The card.
#[component]
pub fn SiteCard(
    /// The site, as it stands.
    #[prop(into)]
    site: Signal<SiteView>,
    /// Whether it says whose it is.
    #[prop(optional)]
    with_owner: bool,
) -> impl IntoView {
    let id = site.with_untracked(|site| site.id);
    let title = Memo::new(move |_| site.with(|site| site.title.clone()));
    let state = Signal::derive(move || site.with(|site| site.state));
    let protection = Signal::derive(move || site.with(Protection::of_site));
    let heading = format!("site-{id}");
    let labelled_by = heading.clone();
    view! {
        <article class="card" aria-labelledby=labelled_by>
            <div class="card-b stackv gap-3">
                <div class="row">
                    <span class="tile" aria-hidden="true">{move || format::initials(&title.get())}</span>
                    <div class="two grow">
                        <h2 class="trunc card-t">
                            <a href=format!("/sites/{id}") id=heading><bdi>{move || title.get()}</bdi></a>
                        </h2>
                        <small class="trunc">
                            {move || site.with(|site| site_text::runs(site, with_owner))}
                        </small>
                    </div>
                    <StateBadge state/>
                </div>
                {move || site.with(nodes_line)}
                {move || site.with(sizes)}
            </div>
            <div class="card-f">
                {move || match site.with(running_job) {
                    Some((text, percent)) => {
                        view! {
                            <span class="st grow" data-s="move">
                                <Icon glyph=Glyph::Working class="spin"/>
                                <span class="grow">{text} <Bar percent=percent tone=Tone::Move/></span>
                            </span>
                        }
                            .into_any()
                    }
                    None => view! { <ProtectionLine protection/> }.into_any(),
                }}
            </div>
        </article>
    }
    .into_any()
}

/// Live here, copies there.
fn nodes_line(site: &SiteView) -> impl IntoView + use<> {
    let live = match &site.files.live_node {
        Some(node) => view! {
            <span class="on" data-s="live">{tr!("live-on", node = node.name.to_string())}</span>
        }
        .into_any(),
        None => view! { <span class="on" data-s="bad">{tr!("live-nowhere")}</span> }.into_any(),
    };
    let copies = site
        .files
        .copies
        .iter()
        .map(|copy| {
            let text = site_text::copy(copy);
            view! {
                <span class="on" data-s="copy">
                    {tr!("copy-on", node = copy.node.name.to_string())} " " <small>{text}</small>
                </span>
            }
        })
        .collect_view();
    view! { <div class="nodes-l">{live} {copies}</div> }
}

/// How much the files and the databases take.
fn sizes(site: &SiteView) -> impl IntoView + use<> {
    let databases: u64 = site
        .databases
        .iter()
        .map(|database| database.dataset.used_bytes)
        .sum();
    let files = format::bytes(site.files.used_bytes);
    let has_database = !site.databases.is_empty();
    view! {
        <dl class="sizes">
            <div>
                <dt>{tr!("size-files")}</dt>
                <dd>{files}</dd>
            </div>
            {has_database
                .then(|| {
                    view! {
                        <div>
                            <dt>{tr!("size-database")}</dt>
                            <dd>{format::bytes(databases)}</dd>
                        </div>
                    }
                })}
        </dl>
    }
}

/// The job that runs on the site, in words, and how far it is.
fn running_job(site: &SiteView) -> Option<(String, u8)> {
    let view = site.jobs.iter().find(|view| is_running(&view.job))?;
    let percent = view.progress.as_ref().map(job_text::percent);
    Some((
        job_text::title(&view.job, Some(&site.title)),
        percent.unwrap_or_default(),
    ))
}
