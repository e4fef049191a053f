//! Deleting an account that owns nothing.

use crate::actions::DeleteAccount;
use crate::components::{Crumb, Glyph, Icon, Place, RefusalBanner, Screen};
use crate::live::use_live;
use crate::pages::problem::NotFoundPage;
use crate::pages::{refusal_of, sign_in_when_asked};
use crate::tr;
use hwc_api::ids::AccountId;
use hwc_api::v1::AccountView;
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// The page.
#[component]
pub fn DeleteAccountPage() -> impl IntoView {
    let live = use_live();
    let params = use_params_map();
    let id = params.with_untracked(|params| {
        params
            .get("account")
            .and_then(|id| id.parse::<AccountId>().ok())
    });
    let account = id.and_then(|id| {
        live.accounts
            .with_untracked(|accounts| accounts.get(&id).cloned())
    });
    match account {
        Some(account) => view! { <Ask account/> }.into_any(),
        None => view! { <NotFoundPage/> }.into_any(),
    }
}

#[component]
fn Ask(account: AccountView) -> impl IntoView {
    let live = use_live();
    let delete = ServerAction::<DeleteAccount>::new();
    let refusal = refusal_of(delete);
    sign_in_when_asked(refusal);
    let id = account.id;
    Effect::new(move |_| {
        if let Some(Ok(())) = delete.value().get() {
            live.accounts.update(|accounts| {
                accounts.remove(&id);
            });
        }
    });
    let title = tr!("account-delete-title", name = account.name.clone());
    let crumbs = vec![
        Crumb::link(tr!("accounts-title"), "/accounts"),
        Crumb::here(title.clone()),
    ];
    view! {
        <Screen title=Signal::stored(title.clone()) place=Place::Accounts crumbs>
            <div class="page-h"><h1>{title}</h1></div>
            <div class="card narrow">
                <ActionForm action=delete>
                    <input type="hidden" name="account" value=account.id.to_string()/>
                    <div class="dialog-b pad-t">
                        <RefusalBanner refusal/>
                        <ul class="cons">
                            <li><Icon glyph=Glyph::Lock/><span>{tr!("account-delete-sign-in")}</span></li>
                            <li><Icon glyph=Glyph::Site/><span>{tr!("account-delete-owns-nothing")}</span></li>
                        </ul>
                    </div>
                    <div class="dialog-f">
                        <a class="btn" href="/accounts">{tr!("keep-it")}</a>
                        <button
                            class="btn btn-danger solid"
                            aria-busy=move || delete.pending().get().then_some("true")
                        >
                            {tr!("account-delete-button", name = account.name.clone())}
                        </button>
                    </div>
                </ActionForm>
            </div>
        </Screen>
    }
    .into_any()
}
