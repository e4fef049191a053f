//! Installing an application: a few questions, and what will be made.

use super::with_site;
use crate::actions::{InstallApp, list_apps};
use crate::components::{
    Crumb, Field, Glyph, Icon, PasswordField, Place, RefusalBanner, Screen, Skeleton,
};
use crate::i18n::{current_locale, format};
use crate::job_text;
use crate::live::use_live;
use crate::pages::{kept, refusal_of, sign_in_when_asked};
use crate::refusal::Refusal;
use crate::tr;
use hwc_api::ids::SiteId;
use hwc_api::problem::ProblemCode;
use hwc_api::v1::{AppView, SiteView};
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// The fields that show their refusals themselves.
const FIELDS: &[&str] = &["title", "admin_login", "admin_email", "admin_password"];
/// Languages that an application can begin in, and the panel's language that suggests each.
const LANGUAGES: [(&str, &str, &str); 2] = [("en_US", "en", "English"), ("de_DE", "de", "Deutsch")];

/// The page.
#[component]
pub fn InstallPage() -> impl IntoView {
    with_site(|id, site| view! { <Install id site/> })
}

#[component]
fn Install(id: SiteId, site: Signal<SiteView>) -> impl IntoView {
    let params = use_params_map();
    let name = params.with_untracked(|params| params.get("app").unwrap_or_default());
    let apps = Resource::new(|| (), |()| list_apps());
    let title = tr!("install-title", app = job_text::app_name(&name));
    let crumbs = vec![
        Crumb::link(
            site.with_untracked(|site| site.title.clone()),
            format!("/sites/{id}"),
        ),
        Crumb::link(tr!("apps-title"), format!("/sites/{id}/apps")),
        Crumb::here(title.clone()),
    ];
    let action = ServerAction::<InstallApp>::new();
    view! {
        <Screen title=Signal::stored(title.clone()) place=Place::SiteApps(id) crumbs>
            <div class="page-h"><h1>{title}</h1></div>
            <Suspense fallback=|| view! { <Skeleton/> }>
                {move || {
                    let name = name.clone();
                    Suspend::new(async move {
                        match apps.await {
                            Ok(apps) => match apps.into_iter().find(|app| app.app == name) {
                                Some(app) => view! { <InstallForm action site app/> }.into_any(),
                                None => unknown_app().into_any(),
                            },
                            Err(refusal) => {
                                view! { <RefusalBanner refusal=Signal::stored(Some(refusal))/> }.into_any()
                            }
                        }
                    })
                }}
            </Suspense>
        </Screen>
    }
    .into_any()
}

/// Without the shell: the page around it is drawn already.
fn unknown_app() -> impl IntoView {
    #[cfg(feature = "ssr")]
    crate::server::say_status(404);
    let refusal = Refusal::from(hwc_api::problem::Problem::new(ProblemCode::UnknownApp, ""));
    view! { <RefusalBanner refusal=Signal::stored(Some(refusal))/> }
}

#[component]
fn InstallForm(
    action: ServerAction<InstallApp>,
    site: Signal<SiteView>,
    app: AppView,
) -> impl IntoView {
    let live = use_live();
    let refusal = refusal_of(action);
    sign_in_when_asked(refusal);
    Effect::new(move |_| {
        if let Some(Ok(job)) = action.value().get() {
            live.put_job(job);
        }
    });
    let first = site.get_untracked();
    let me = live.me.get_untracked();
    let must_replace = Memo::new(move |_| {
        let was_refused = refusal.with(|refusal| {
            refusal
                .as_ref()
                .is_some_and(|refusal| refusal.code() == Some(ProblemCode::SiteNotEmpty))
        });
        was_refused || kept(refusal, "replace", "") == "yes" || site.with(|site| site.app.is_some())
    });
    let is_pending = action.pending();
    let title = app.title.clone();
    let catalogue_name = app.app.clone();
    let domain = first.title.clone();
    view! {
        <div class="grid cols-main">
            <div class="card">
                <ActionForm action>
                    <input type="hidden" name="site" value=first.id.to_string()/>
                    <input type="hidden" name="app" value=catalogue_name/>
                    <div class="card-b form narrow">
                        <RefusalBanner refusal fields=FIELDS/>
                        {move || must_replace.get().then(|| view! { <ReplaceCheck/> })}
                        <Field
                            name="title"
                            label=tr!("install-site-title")
                            value=kept(refusal, "title", &first.title)
                            refusal
                        />
                        <div class="grid cols-2">
                            <Field
                                name="admin_login"
                                label=tr!("install-admin-login")
                                value=kept(refusal, "admin_login", me.login.as_str())
                                hint=tr!("install-admin-login-hint")
                                ltr=true
                                refusal
                            />
                            <Field
                                name="admin_email"
                                kind="email"
                                label=tr!("install-admin-email")
                                value=kept(refusal, "admin_email", me.email.as_str())
                                ltr=true
                                refusal
                            />
                        </div>
                        <PasswordField
                            name="admin_password"
                            label=tr!("install-admin-password")
                            hint=tr!("install-admin-password-hint")
                            refusal
                        />
                        <LanguageField chosen=kept(refusal, "language", "")/>
                    </div>
                    <div class="card-f">
                        <button
                            class="btn btn-primary"
                            disabled=move || is_pending.get()
                            aria-busy=move || is_pending.get().then_some("true")
                        >
                            {move || is_pending.get().then(|| view! { <Icon glyph=Glyph::Working/> })}
                            {tr!("app-install", app = title.clone())}
                        </button>
                        <a class="btn btn-quiet" href=format!("/sites/{}/apps", first.id)>{tr!("cancel")}</a>
                        <span class="push hide-m">{tr!("install-takes")}</span>
                    </div>
                </ActionForm>
            </div>
            <WillBeMade app domain/>
        </div>
    }
    .into_any()
}

/// Agreeing that what is there may go.
#[component]
fn ReplaceCheck() -> impl IntoView {
    view! {
        <div class="banner" data-s="warn">
            <label class="check">
                <input type="checkbox" name="replace" value="yes" required/>
                <span>{tr!("install-replace")} <small>{tr!("install-replace-means")}</small></span>
            </label>
        </div>
    }
    .into_any()
}

#[component]
fn LanguageField(chosen: String) -> impl IntoView {
    let spoken = current_locale().map(|locale| locale.carried().language.code.clone());
    let is_chosen = move |code: &str, panel: &str| {
        if chosen.is_empty() {
            spoken.as_deref() == Some(panel)
        } else {
            chosen == code
        }
    };
    view! {
        <div class="field">
            <label for="language">{tr!("install-language")}</label>
            <select class="in" id="language" name="language">
                {LANGUAGES
                    .into_iter()
                    .map(|(code, panel, name)| {
                        let selected = is_chosen(code, panel);
                        view! { <option value=code lang=panel selected=selected>{name}</option> }
                    })
                    .collect_view()}
            </select>
        </div>
    }
    .into_any()
}

/// What the click makes.
#[component]
fn WillBeMade(app: AppView, domain: String) -> impl IntoView {
    view! {
        <section class="card">
            <div class="card-h"><h2>{tr!("install-makes")}</h2></div>
            <ul class="list">
                <li>
                    <Icon glyph=Glyph::Files/>
                    <span>
                        {tr!("install-makes-files", app = app.title.clone(), version = app.version.clone(), size = format::bytes(app.archive_bytes))}
                    </span>
                </li>
                {app
                    .needs_database
                    .then(|| {
                        view! {
                            <li>
                                <Icon glyph=Glyph::Database/>
                                <span>{tr!("install-makes-database")}</span>
                            </li>
                        }
                    })}
                <li>
                    <Icon glyph=Glyph::Copy/>
                    <span>{tr!("install-makes-copies")}</span>
                </li>
            </ul>
            <div class="card-f"><bdi>{tr!("install-address", domain = domain)}</bdi></div>
        </section>
    }
    .into_any()
}
