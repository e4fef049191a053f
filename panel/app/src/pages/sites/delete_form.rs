//! What deleting a site means, and the form that does it: on a page of its own, or in a dialog.

use crate::actions::DeleteSite;
use crate::components::{Glyph, Icon, RefusalBanner};
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
    let expected = domain.clone();
    let is_mismatch = Memo::new(move |_| {
        refusal.with(|refusal| {
            refusal
                .as_ref()
                .is_some_and(|refusal| refusal.field() == Some("confirm"))
        })
    });
    let typed = RwSignal::new(String::new());
    let can_compare = RwSignal::new(false);
    Effect::new(move |_| can_compare.set(true));
    let is_blocked = move || can_compare.get() && typed.with(|typed| typed.trim() != expected);
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
                <div class="field">
                    <label for="confirm">
                        <span>
                            {tr!("site-delete-confirm")} " " <span class="code-b ltr">{domain.clone()}</span>
                        </span>
                    </label>
                    <input
                        class="in ltr"
                        id="confirm"
                        name="confirm"
                        autocomplete="off"
                        autocapitalize="none"
                        spellcheck="false"
                        required
                        aria-invalid=move || is_mismatch.get().then_some("true")
                        aria-describedby="confirm-error"
                        prop:value=move || typed.get()
                        on:input=move |event| typed.set(event_target_value(&event))
                    />
                    <p class="err" id="confirm-error" hidden=move || !is_mismatch.get()>
                        <Icon glyph=Glyph::Failed/>
                        <span>{tr!("site-delete-mismatch")}</span>
                    </p>
                </div>
            </div>
            <div class="dialog-f">
                {children()}
                <button
                    class="btn btn-danger solid"
                    disabled=is_blocked
                    aria-busy=move || delete.pending().get().then_some("true")
                >
                    {tr!("site-delete-button", site = site.title.clone())}
                </button>
            </div>
        </ActionForm>
    }
    .into_any()
}
