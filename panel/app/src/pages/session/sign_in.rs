//! The sign-in page. A plain form: whoever signs in gets a whole new page.

use crate::actions::SignIn;
use crate::components::{Field, Glyph, Icon, LanguageSwitch, Logo, RefusalBanner};
use crate::pages::{kept, refusal_of};
use crate::tr;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

/// The page.
#[component]
pub fn SignInPage() -> impl IntoView {
    let query = use_query_map();
    let next = move || query.with(|query| query.get("next").unwrap_or_default());
    let is_expired = move || {
        query.with(|query| {
            query
                .get("reason")
                .is_some_and(|reason| reason == "expired")
        })
    };
    let refusal = refusal_of(ServerAction::<SignIn>::new());
    let is_busy = RwSignal::new(false);
    let stays = kept(refusal, "stay", "yes") == "yes";
    view! {
        <Title text=tr!("sign-in-title")/>
        <main class="gate">
            <div class="gate-c">
                <div class="stackv gate-h">
                    <Logo/>
                    <h1>{tr!("sign-in-heading")}</h1>
                </div>
                <form
                    class="form"
                    method="post"
                    action=SignIn::url()
                    on:submit=move |_| is_busy.set(true)
                >
                    {move || {
                        (is_expired() && refusal.with(Option::is_none))
                            .then(|| {
                                view! {
                                    <p class="banner" data-s="note" role="status">
                                        <Icon glyph=Glyph::Clock/>
                                        <span>{tr!("sign-in-expired")}</span>
                                    </p>
                                }
                            })
                    }}
                    <RefusalBanner refusal/>
                    <input type="hidden" name="next" value=next/>
                    <Field
                        name="login"
                        label=tr!("sign-in-login")
                        value=kept(refusal, "login", "")
                        autocomplete="username"
                        ltr=true
                        autofocus=true
                        refusal=Signal::stored(None)
                    />
                    <Field
                        name="password"
                        kind="password"
                        label=tr!("sign-in-password")
                        autocomplete="current-password"
                        refusal=Signal::stored(None)
                    />
                    <label class="check">
                        <input type="checkbox" name="stay" value="yes" checked=stays/>
                        <span>{tr!("sign-in-stay")}</span>
                    </label>
                    <button class="btn btn-primary btn-l btn-w" aria-busy=move || is_busy.get().then_some("true")>
                        {move || is_busy.get().then(|| view! { <Icon glyph=Glyph::Working/> })}
                        {tr!("sign-in-button")}
                    </button>
                </form>
            </div>
            <footer class="gate-f">
                <LanguageSwitch/>
            </footer>
        </main>
    }
    .into_any()
}
