//! What deleting a site means, and the form that does it: on a page of its own, or in a dialog.

use crate::actions::DeleteSite;
use crate::components::{ConfirmField, Glyph, Icon, RefusalBanner};
use crate::pages::{refusal_of, sign_in_when_asked};
use crate::tr;
use hwc_api::v1::SiteView;
use leptos::form::ActionForm;
use leptos::prelude::*;

/// The form. Its children are the way out ("Keep it").
#[component]
pub fn DeleteSiteForm(
    /// The site.
    site: SiteView,
    /// The way out.
    children: Children,
) -> impl IntoView {
    let delete = ServerAction::<DeleteSite>::new();
    let refusal = refusal_of(delete);
    sign_in_when_asked(refusal);
    let domain = site
        .domains
        .first()
        .map(ToString::to_string)
        .unwrap_or_default();
    let is_confirmed = RwSignal::new(true);
    view! {
        <ActionForm action=delete>
            <input type="hidden" name="site" value=site.id.to_string()/>
            <div class="dialog-b">
                <ul class="cons">
                    <li>
                        <Icon glyph=Glyph::Globe/>
                        <span>{tr!("site-delete-visitors", domains = site.domains.len())}</span>
                    </li>
                    <li>
                        <Icon glyph=Glyph::Database/>
                        <span>{tr!("site-delete-databases", databases = site.databases.len())}</span>
                    </li>
                    <li>
                        <Icon glyph=Glyph::Warning/>
                        <span>{tr!("site-delete-copies")}</span>
                    </li>
                </ul>
                <RefusalBanner refusal fields=&["confirm"]/>
                <ConfirmField
                    label=tr!("site-delete-confirm")
                    names=domain
                    mismatch=tr!("site-delete-mismatch")
                    refusal
                    is_confirmed
                />
            </div>
            <div class="dialog-f">
                {children()}
                <button
                    class="btn btn-danger solid"
                    disabled=move || !is_confirmed.get()
                    aria-busy=move || delete.pending().get().then_some("true")
                >
                    {tr!("site-delete-button", site = site.title.clone())}
                </button>
            </div>
        </ActionForm>
    }
    .into_any()
}
