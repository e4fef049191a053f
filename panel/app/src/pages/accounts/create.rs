//! A new customer.

use crate::actions::CreateAccount;
use crate::components::{Crumb, Field, Glyph, Icon, PasswordField, Place, RefusalBanner, Screen};
use crate::live::use_live;
use crate::pages::{kept, refusal_of, sign_in_when_asked};
use crate::tr;
use hwc_api::desired::Limits;
use leptos::form::ActionForm;
use leptos::prelude::*;

/// The fields that show their refusals themselves.
const FIELDS: &[&str] = &["login", "name", "email", "password", "sites", "databases"];

/// The page.
#[component]
pub fn CreateAccountPage() -> impl IntoView {
    let live = use_live();
    let create = ServerAction::<CreateAccount>::new();
    let refusal = refusal_of(create);
    sign_in_when_asked(refusal);
    Effect::new(move |_| {
        if let Some(Ok(account)) = create.value().get() {
            live.put_account(account);
        }
    });
    let usual = Limits::default();
    let title = tr!("account-create-title");
    view! {
        <Screen
            title=Signal::stored(title.clone())
            place=Place::Accounts
            crumbs=vec![Crumb::link(tr!("accounts-title"), "/accounts"), Crumb::here(title.clone())]
        >
            <div class="page-h"><h1>{title}</h1></div>
            <div class="card narrow">
                <ActionForm action=create>
                    <div class="card-b form">
                        <RefusalBanner refusal fields=FIELDS/>
                        <div class="grid cols-2">
                            <Field
                                name="name"
                                label=tr!("account-name")
                                value=kept(refusal, "name", "")
                                autofocus=true
                                refusal
                            />
                            <Field
                                name="email"
                                kind="email"
                                label=tr!("account-email")
                                value=kept(refusal, "email", "")
                                ltr=true
                                refusal
                            />
                        </div>
                        <Field
                            name="login"
                            label=tr!("account-login")
                            value=kept(refusal, "login", "")
                            hint=tr!("account-login-hint")
                            ltr=true
                            refusal
                        />
                        <PasswordField
                            name="password"
                            label=tr!("account-password")
                            hint=tr!("account-password-hint")
                            refusal
                        />
                        <div class="grid cols-2">
                            <Field
                                name="sites"
                                label=tr!("account-sites")
                                value=kept(refusal, "sites", &usual.sites.to_string())
                                ltr=true
                                refusal
                            />
                            <Field
                                name="databases"
                                label=tr!("account-databases")
                                value=kept(refusal, "databases", &usual.databases.to_string())
                                ltr=true
                                refusal
                            />
                        </div>
                    </div>
                    <div class="card-f">
                        <button
                            class="btn btn-primary"
                            aria-busy=move || create.pending().get().then_some("true")
                            disabled=move || create.pending().get()
                        >
                            {move || create.pending().get().then(|| view! { <Icon glyph=Glyph::Working/> })}
                            {tr!("account-create-button")}
                        </button>
                        <a class="btn btn-quiet" href="/accounts">{tr!("cancel")}</a>
                    </div>
                </ActionForm>
            </div>
        </Screen>
    }
    .into_any()
}
