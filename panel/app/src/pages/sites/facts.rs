//! Facts of a site beside its first page: domains, databases, what it runs on.

use crate::components::{Glyph, Icon, ProtectionLine};
use crate::i18n::format;
use crate::job_text;
use crate::protection::Protection;
use crate::tr;
use hwc_api::v1::{DatabaseView, SiteView};
use leptos::prelude::*;

/// Its domains.
#[component]
pub(super) fn Domains(site: Signal<SiteView>) -> impl IntoView {
    view! {
        <section class="card">
            <div class="card-h"><h2>{tr!("domains-title")}</h2></div>
            <ul class="list">
                {move || {
                    site.with(|site| {
                        site.domains
                            .iter()
                            .enumerate()
                            .map(|(index, domain)| {
                                let shown = domain.to_unicode();
                                let ascii = domain.to_string();
                                let note = if shown == ascii {
                                    if index == 0 { tr!("domain-main") } else { tr!("domain-other") }
                                } else {
                                    ascii.clone()
                                };
                                view! {
                                    <li>
                                        <span class="two grow">
                                            <bdi class="b wraps">{shown}</bdi>
                                            <small class="wraps">{note}</small>
                                        </span>
                                        <a
                                            class="btn btn-quiet btn-s btn-i"
                                            href=format!("https://{ascii}/")
                                            target="_blank"
                                            rel="noopener"
                                            aria-label=tr!("domain-open", domain = ascii.clone())
                                        >
                                            <Icon glyph=Glyph::External/>
                                        </a>
                                    </li>
                                }
                            })
                            .collect_view()
                    })
                }}
            </ul>
        </section>
    }
    .into_any()
}

/// Its databases; nothing where it has none.
pub(super) fn databases(databases: &[DatabaseView]) -> Option<impl IntoView + use<>> {
    if databases.is_empty() {
        return None;
    }
    let lines = databases
        .iter()
        .map(|database| {
            let node = database
                .dataset
                .live_node
                .as_ref()
                .map_or_else(|| tr!("nowhere"), |node| node.name.to_string());
            let facts = tr!(
                "database-facts",
                size = format::bytes(database.dataset.used_bytes),
                node = node
            );
            let protection = Protection::of_dataset(&database.dataset);
            view! {
                <li>
                    <Icon glyph=Glyph::Database/>
                    <span class="two grow">
                        <span class="b mono wraps">{database.name.to_string()}</span>
                        <small>{facts}</small>
                        <ProtectionLine protection=Signal::stored(protection)/>
                    </span>
                </li>
            }
        })
        .collect_view();
    Some(view! {
        <section class="card">
            <div class="card-h"><h2>{tr!("databases-title")}</h2></div>
            <ul class="list">{lines}</ul>
        </section>
    })
}

/// What it runs on.
#[component]
pub(super) fn RunsOn(site: Signal<SiteView>) -> impl IntoView {
    view! {
        <section class="card">
            <div class="card-h"><h2>{tr!("runs-on-title")}</h2></div>
            <div class="card-b">
                {move || {
                    site.with(|site| {
                        let app = site.app.as_ref().map_or_else(
                            || tr!("app-none"),
                            |app| format!("{} {}", job_text::app_name(&app.app), app.version),
                        );
                        let user = site.databases.first().map(|database| database.user.to_string());
                        view! {
                            <dl class="kv">
                                <dt>{tr!("runs-php")}</dt>
                                <dd>{site.php.as_str()}</dd>
                                <dt>{tr!("runs-app")}</dt>
                                <dd>{app}</dd>
                                <dt>{tr!("size-files")}</dt>
                                <dd>{format::bytes(site.files.used_bytes)}</dd>
                                {user
                                    .map(|user| {
                                        view! {
                                            <dt>{tr!("runs-database-host")}</dt>
                                            <dd><span class="code-b">"localhost"</span></dd>
                                            <dt>{tr!("runs-database-user")}</dt>
                                            <dd><span class="code-b">{user}</span></dd>
                                        }
                                    })}
                            </dl>
                        }
                    })
                }}
            </div>
        </section>
    }
    .into_any()
}
