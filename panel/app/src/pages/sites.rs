//! Sites: the list, a new one, and everything about one.

mod apps;
mod create;
mod delete;
mod delete_form;
mod facts;
mod install;
mod job;
mod list;
mod move_job;
mod move_site;
mod overview;

pub use apps::AppsPage;
pub use create::CreateSitePage;
pub use delete::DeleteSitePage;
pub use install::InstallPage;
pub use job::JobPage;
pub use list::SitesPage;
pub use move_site::MoveSitePage;
pub use overview::SitePage;

use crate::live::use_live;
use crate::pages::problem::NotFoundPage;
use hwc_api::ids::{JobId, SiteId};
use hwc_api::v1::SiteView;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// Draws a page about the site that the address names; another page where there is none.
fn with_site<V: IntoView + 'static>(
    draw: impl Fn(SiteId, Signal<SiteView>) -> V + Send + Sync + Clone + 'static,
) -> impl IntoView {
    let live = use_live();
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("site")?.parse::<SiteId>().ok()));
    move || {
        let id = id.get();
        let site = live.site(id);
        let is_there = Memo::new(move |_| site.with(Option::is_some));
        let draw = draw.clone();
        move || match (id, is_there.get(), site.get_untracked()) {
            (Some(id), true, Some(first)) => {
                // A site that vanishes is drawn as it last was until the page gives way.
                let site = Signal::derive(move || site.get().unwrap_or_else(|| first.clone()));
                draw(id, site).into_any()
            }
            (None, ..) | (_, false, _) | (_, _, None) => view! { <NotFoundPage/> }.into_any(),
        }
    }
}

/// The job that the address names.
fn job_in_address() -> Memo<Option<JobId>> {
    let params = use_params_map();
    Memo::new(move |_| params.with(|params| params.get("job")?.parse::<JobId>().ok()))
}
