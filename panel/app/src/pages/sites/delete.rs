//! Deleting a site, as a page: where the dialog can't open, and after a refusal without JavaScript.

use super::delete_form::DeleteSiteForm;
use super::with_site;
use crate::components::{Crumb, Place, Screen};
use crate::tr;
use leptos::prelude::*;

/// The page.
#[component]
pub fn DeleteSitePage() -> impl IntoView {
    with_site(|id, site| {
        let first = site.get_untracked();
        let title = tr!("site-delete-title", site = first.title.clone());
        let home = format!("/sites/{id}");
        let crumbs = vec![
            Crumb::link(first.title.clone(), home.clone()),
            Crumb::here(tr!("site-delete-crumb")),
        ];
        view! {
            <Screen title=Signal::stored(title.clone()) place=Place::SiteOverview(id) crumbs>
                <div class="page-h"><h1>{title}</h1></div>
                <div class="card narrow">
                    <DeleteSiteForm site=first>
                        <a class="btn" href=home>{tr!("keep-it")}</a>
                    </DeleteSiteForm>
                </div>
            </Screen>
        }
    })
}
