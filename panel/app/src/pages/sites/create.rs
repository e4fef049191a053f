//! A new site: one question, the domain.

use crate::actions::CreateSite;
use crate::components::{Crumb, Field, Glyph, Icon, Place, RefusalBanner, Screen};
use crate::live::use_live;
use crate::pages::{kept, refusal_of, sign_in_when_asked};
use crate::tr;
use hwc_api::desired::Role;
use hwc_api::names::DomainName;
use leptos::form::ActionForm;
use leptos::prelude::*;

/// The page.
#[component]
pub fn CreateSitePage() -> impl IntoView {
    let live = use_live();
    let create = ServerAction::<CreateSite>::new();
    let refusal = refusal_of(create);
    sign_in_when_asked(refusal);
    Effect::new(move |_| {
        if let Some(Ok(site)) = create.value().get() {
            live.put_site(site);
        }
    });
    let typed = RwSignal::new(kept(refusal, "domain", ""));
    let title = tr!("site-create-title");
    let parent = if live.is_administrator() {
        tr!("sites-all-title")
    } else {
        tr!("sites-my-title")
    };
    view! {
        <Screen
            title=Signal::stored(title.clone())
            place=Place::Sites
            crumbs=vec![Crumb::link(parent, "/sites"), Crumb::here(title.clone())]
        >
            <div class="page-h"><h1>{title}</h1></div>
            <div class="grid cols-main">
                <div class="card">
                    <ActionForm action=create>
                        <div class="card-b form narrow">
                            <RefusalBanner refusal fields=&["domain"]/>
                            <Field
                                name="domain"
                                label=tr!("site-create-domain")
                                value=kept(refusal, "domain", "")
                                placeholder="shop.example"
                                hint=tr!("site-create-domain-hint")
                                ltr=true
                                autofocus=true
                                refusal
                                on_text=Callback::new(move |text| typed.set(text))
                            />
                            <Punycode typed/>
                            {live.is_administrator().then(|| view! { <OwnerField chosen=kept(refusal, "account", "")/> })}
                        </div>
                        <div class="card-f">
                            <button
                                class="btn btn-primary"
                                aria-busy=move || create.pending().get().then_some("true")
                                disabled=move || create.pending().get()
                            >
                                {move || {
                                    create.pending().get().then(|| view! { <Icon glyph=Glyph::Working/> })
                                }}
                                {tr!("site-create-button")}
                            </button>
                            <a class="btn btn-quiet" href="/sites">{tr!("cancel")}</a>
                            <span class="push hide-m">{tr!("site-create-takes")}</span>
                        </div>
                    </ActionForm>
                </div>
                <section class="card">
                    <div class="card-h"><h2>{tr!("site-create-makes")}</h2></div>
                    <ul class="list">
                        <li><Icon glyph=Glyph::Files/><span>{tr!("site-create-makes-files")}</span></li>
                        <li><Icon glyph=Glyph::Copy/><span>{tr!("site-create-makes-copy")}</span></li>
                        <li><Icon glyph=Glyph::Lock/><span>{tr!("site-create-makes-certificate")}</span></li>
                        <li><Icon glyph=Glyph::Apps/><span>{tr!("site-create-makes-apps")}</span></li>
                    </ul>
                </section>
            </div>
        </Screen>
    }
    .into_any()
}

/// How a domain with letters beyond ASCII stands in DNS.
#[component]
fn Punycode(#[prop(into)] typed: Signal<String>) -> impl IntoView {
    let stored = Memo::new(move |_| {
        let typed = typed.get();
        let domain = DomainName::parse(typed.trim()).ok()?;
        (!typed.is_ascii()).then(|| domain.to_string())
    });
    view! {
        <div aria-live="polite" class="good-w">
            {move || {
                stored
                    .get()
                    .map(|domain| {
                        view! {
                            <p class="good">
                                <Icon glyph=Glyph::Info/>
                                <span>
                                    {tr!("site-create-punycode")} " " <span class="code-b ltr">{domain}</span>
                                </span>
                            </p>
                        }
                    })
            }}
        </div>
    }
    .into_any()
}

/// For whom, asked of administrators.
#[component]
fn OwnerField(chosen: String) -> impl IntoView {
    let live = use_live();
    let customers = live.accounts.with_untracked(|accounts| {
        accounts
            .values()
            .filter(|account| account.role == Role::Customer)
            .map(|account| {
                (
                    account.id.to_string(),
                    format!("{} ({})", account.name, account.login),
                )
            })
            .collect::<Vec<_>>()
    });
    view! {
        <div class="field">
            <label for="account">{tr!("site-create-owner")}</label>
            <select class="in" id="account" name="account">
                <option value="">{tr!("site-create-owner-me")}</option>
                {customers
                    .into_iter()
                    .map(|(id, name)| {
                        let is_chosen = id == chosen;
                        view! { <option value=id selected=is_chosen>{name}</option> }
                    })
                    .collect_view()}
            </select>
        </div>
    }
    .into_any()
}
