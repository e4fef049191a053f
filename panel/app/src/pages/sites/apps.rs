//! The applications that can be installed into a site, and the one that is.

use super::with_site;
use crate::actions::list_apps;
use crate::components::{Crumb, Empty, Glyph, Icon, Place, RefusalBanner, Screen, Skeleton};
use crate::i18n::{format, text_if_any};
use crate::job_text;
use crate::site_text;
use crate::tr;
use hwc_api::ids::SiteId;
use hwc_api::job::JobKind;
use hwc_api::v1::{AppView, SiteView};
use leptos::prelude::*;

/// The page.
#[component]
pub fn AppsPage() -> impl IntoView {
    with_site(|id, site| view! { <Apps id site/> })
}

#[component]
fn Apps(id: SiteId, site: Signal<SiteView>) -> impl IntoView {
    let apps = Resource::new(|| (), |()| list_apps());
    let title = tr!("apps-title");
    let crumbs = vec![
        Crumb::link(
            site.with_untracked(|site| site.title.clone()),
            format!("/sites/{id}"),
        ),
        Crumb::here(title.clone()),
    ];
    view! {
        <Screen title=Signal::stored(title.clone()) place=Place::SiteApps(id) crumbs>
            <div class="page-h"><h1>{title}</h1></div>
            <div class="stackv">
                {move || site.with(|site| installed(id, site))}
                <Suspense fallback=|| view! { <Skeleton/> }>
                    {move || Suspend::new(async move {
                        match apps.await {
                            Ok(apps) if apps.is_empty() => {
                                view! {
                                    <div class="card">
                                        <Empty glyph=Glyph::Apps title=tr!("apps-none") text=tr!("apps-none-text")/>
                                    </div>
                                }
                                    .into_any()
                            }
                            Ok(apps) => {
                                let cards = apps.into_iter().map(|app| card(id, app)).collect_view();
                                view! { <div class="grid cols-2">{cards}</div> }.into_any()
                            }
                            Err(refusal) => {
                                view! { <RefusalBanner refusal=Signal::stored(Some(refusal))/> }.into_any()
                            }
                        }
                    })}
                </Suspense>
            </div>
        </Screen>
    }
    .into_any()
}

/// The application that the site runs.
fn installed(id: SiteId, site: &SiteView) -> Option<impl IntoView + use<>> {
    let app = site.app.as_ref()?;
    let name = job_text::app_name(&app.app);
    let address = site_text::address(site);
    let admin = (app.app == "wordpress").then(|| format!("{address}wp-admin/"));
    let mut jobs = site.jobs.iter();
    let job = jobs
        .find(|view| matches!(view.job.kind, JobKind::InstallApp { .. }))
        .map(|view| format!("/sites/{id}/jobs/{}", view.job.id));
    Some(view! {
        <section class="card">
            <div class="card-b row wrap">
                <Icon glyph=Glyph::Done class="c-ok i-20"/>
                <span class="two grow">
                    <h2>{name.clone()}</h2>
                    <small>{tr!("app-installed", version = app.version.clone())}</small>
                </span>
                <a class="btn" href=address target="_blank" rel="noopener">
                    <Icon glyph=Glyph::External/>
                    {tr!("site-open")}
                </a>
                {admin
                    .map(|admin| {
                        view! {
                            <a class="btn" href=admin target="_blank" rel="noopener">
                                <Icon glyph=Glyph::Key/>
                                {tr!("app-open-admin")}
                            </a>
                        }
                    })}
                {job.map(|job| view! { <a class="btn btn-quiet" href=job>{tr!("job-how-it-went")}</a> })}
            </div>
        </section>
    })
}

/// An application of the catalogue.
fn card(site: SiteId, app: AppView) -> impl IntoView {
    let summary = text_if_any(&format!("app-summary-{}", app.app), &[]).unwrap_or(app.summary);
    let facts = tr!(
        "app-facts",
        version = app.version,
        size = format::bytes(app.archive_bytes)
    );
    let title = app.title.clone();
    let action = if app.is_available {
        view! {
            <a class="btn btn-primary" href=format!("/sites/{site}/apps/{}", app.app)>
                {tr!("app-install", app = app.title.clone())}
            </a>
        }
        .into_any()
    } else {
        view! {
            <span class="st" data-s="warn">
                <Icon glyph=Glyph::Warning/>
                <span>{tr!("app-unavailable")}</span>
            </span>
        }
        .into_any()
    };
    view! {
        <article class="card">
            <div class="card-b stackv gap-3">
                <div class="row">
                    <span class="tile" aria-hidden="true">{format::initials(&app.title)}</span>
                    <span class="two grow">
                        <h2>{title}</h2>
                        <small>{facts}</small>
                    </span>
                </div>
                <p class="s13 ink2">{summary}</p>
            </div>
            <div class="card-f">
                {action}
                <a class="push sm" href=app.homepage target="_blank" rel="noopener noreferrer">{tr!("app-homepage")}</a>
            </div>
        </article>
    }
}
