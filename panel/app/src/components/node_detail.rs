//! One node beside the map: how busy and how full it is, its services, what it could not do.

use super::badge::HealthBadge;
use super::bar::Meter;
use super::icon::{Glyph, Icon};
use super::moment::Moment;
use crate::i18n::format;
use crate::live::{Live, use_live};
use crate::node_text;
use crate::refusal::problem_text;
use crate::tr;
use hwc_api::ids::{DatasetId, NodeId, SiteId};
use hwc_api::observed::{HeavyDataset, NodeObserved, ServiceState};
use hwc_api::v1::NodeView;
use leptos::prelude::*;

/// The most of the heaviest that are listed.
const HEAVIEST: usize = 3;
/// What takes less than this is not heavy, thousandths of a core.
const HEAVY_MILLICORES: u32 = 10;

/// The details.
#[component]
pub fn NodeDetail(
    /// Of which node.
    #[prop(into)]
    id: Signal<Option<NodeId>>,
) -> impl IntoView {
    let live = use_live();
    let node = Memo::new(move |_| {
        id.get()
            .and_then(|id| live.nodes.with(|nodes| nodes.get(&id).cloned()))
    });
    move || node.get().map(|node| card(live, node))
}

fn card(live: Live, node: NodeView) -> impl IntoView {
    let health = node.health;
    let address = node.address.to_string();
    let body = match node.observed.clone() {
        Some(report) => {
            let heaviest = heaviest(live, &report);
            view! {
                {measures(&node, report)}
                {heaviest}
            }
            .into_any()
        }
        None => view! { <p class="card-b s13 muted">{tr!("node-no-report")}</p> }.into_any(),
    };
    view! {
        <section class="card" aria-labelledby="node-title">
            <div class="card-h">
                <h2 id="node-title"><bdi>{node.node.name.to_string()}</bdi></h2>
                <HealthBadge health=Signal::stored(health)/>
                <span class="muted ltr">{address}</span>
            </div>
            {body}
            {stands(&node)}
        </section>
    }
}

/// Where it stands, what is off on it, and what can be done with it.
fn stands(node: &NodeView) -> impl IntoView + use<> {
    let id = node.node.id;
    let off = node_text::switched_off(node);
    let drain = if node.drain.is_some() {
        tr!("node-drain-watch")
    } else {
        tr!("node-drain")
    };
    view! {
        <div class="card-b part">
            <dl class="kv">
                <dt>{tr!("node-zone")}</dt>
                <dd><bdi class="wraps">{node.zone.to_string()}</bdi></dd>
                <dt>{tr!("node-switched-off")}</dt>
                <dd>{off}</dd>
            </dl>
        </div>
        <div class="card-f">
            <a class="btn" href=format!("/nodes/{id}/drain")>{drain}</a>
            <a class="btn btn-quiet" href=format!("/nodes/{id}/settings")>{tr!("node-settings")}</a>
        </div>
    }
}

fn measures(node: &NodeView, report: NodeObserved) -> impl IntoView + use<> {
    let load = format::decimal(node_text::cores_used(report.load.cpu_millicores), 1);
    let load_percent = node_text::whole_percent(node_text::load_share(node));
    let memory = node_text::memory_used(&report);
    let pool = node_text::pool_used(&report);
    let cores = tr!("cores", cores = report.cores);
    let services = report
        .services
        .iter()
        .map(|service| {
            let (glyph, class, word) = match service.state {
                ServiceState::Running => (Glyph::Check, "c-ok", tr!("service-running")),
                ServiceState::Stopped => (Glyph::Waiting, "", tr!("service-stopped")),
                ServiceState::Failed => (Glyph::Failed, "c-bad", tr!("service-failed")),
            };
            view! {
                <li>
                    <Icon glyph class/>
                    <span class="grow mono">{service.name.clone()}</span>
                    <span class="sm muted">{word}</span>
                </li>
            }
        })
        .collect_view();
    let problems = report
        .problems
        .iter()
        .map(|problem| {
            view! {
                <li>
                    <Icon glyph=Glyph::Warning class="c-warn"/>
                    <span>{problem_text(problem)}</span>
                </li>
            }
        })
        .collect_view();
    let has_problems = !report.problems.is_empty();
    view! {
        <div class="card-b stackv gap-3">
            <Meter
                label=tr!("meter-processor")
                used=Signal::stored(load)
                limit=Signal::stored(cores)
                percent=Signal::stored(load_percent)
            />
            <Meter
                label=tr!("meter-memory")
                used=Signal::stored(format::bytes(memory))
                limit=Signal::stored(format::bytes(report.memory_total_bytes))
                percent=Signal::stored(format::percent(memory, report.memory_total_bytes))
            />
            <Meter
                label=tr!("meter-pool")
                used=Signal::stored(format::bytes(pool))
                limit=Signal::stored(format::bytes(report.pool_total_bytes))
                percent=Signal::stored(format::percent(pool, report.pool_total_bytes))
            />
        </div>
        <div class="card-b part">
            <dl class="kv">
                <dt>{tr!("node-live")}</dt>
                <dd>{tr!("node-live-count", sites = node.live_sites, databases = node.live_databases)}</dd>
                <dt>{tr!("column-copies")}</dt>
                <dd>{format::number(node.copies.into())}</dd>
                <dt>{tr!("node-version")}</dt>
                <dd><span class="code-b">{report.version.clone()}</span></dd>
                <dt>{tr!("node-reported")}</dt>
                <dd><Moment at=report.reported_at/></dd>
                <dt>{tr!("node-started")}</dt>
                <dd><Moment at=report.started_at/></dd>
            </dl>
        </div>
        {has_problems
            .then(|| {
                view! {
                    <div class="card-b part">
                        <h3>{tr!("node-problems")}</h3>
                        <ul class="plain-l">{problems}</ul>
                    </div>
                }
            })}
        <div class="card-b part">
            <h3>{tr!("node-services")}</h3>
            <ul class="plain-l">{services}</ul>
        </div>
    }
}

/// What takes most of its processors just now, where anything does.
fn heaviest(live: Live, report: &NodeObserved) -> Option<impl IntoView + use<>> {
    let heavy = |one: &&HeavyDataset| one.load.cpu_millicores >= HEAVY_MILLICORES;
    let lines: Vec<_> = report
        .heaviest
        .iter()
        .filter(heavy)
        .filter_map(|one| Some((name_of(live, one.dataset)?, one.load.cpu_millicores)))
        .take(HEAVIEST)
        .map(|((site, name), millicores)| {
            let cores = format::decimal(node_text::cores_used(millicores), 2);
            view! {
                <li>
                    <a class="t grow wraps" href=format!("/sites/{site}")><bdi>{name}</bdi></a>
                    <span class="sm muted nw">{tr!("cores-used", cores = cores)}</span>
                </li>
            }
        })
        .collect();
    (!lines.is_empty()).then(|| {
        view! {
            <div class="card-b part">
                <h3>{tr!("node-heaviest")}</h3>
                <ul class="plain-l">{lines}</ul>
            </div>
        }
    })
}

/// The site of a dataset, and what the dataset is called.
fn name_of(live: Live, dataset: DatasetId) -> Option<(SiteId, String)> {
    live.sites.with_untracked(|sites| {
        sites.values().find_map(|site| {
            if site.files.id == dataset {
                return Some((site.id, site.title.clone()));
            }
            let mut databases = site.databases.iter();
            let database = databases.find(|database| database.dataset.id == dataset)?;
            let name = database.name.to_string();
            Some((site.id, tr!("why-database", database = name)))
        })
    })
}
