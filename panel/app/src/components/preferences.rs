//! The switches for language and theme: plain forms, for both need another page.

use super::icon::{Glyph, Icon};
use crate::actions::SetPreferences;
use crate::i18n::current_locale;
use crate::page_data::{Page, Theme};
use crate::return_path;
use crate::tr;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_router::hooks::use_location;

/// Where to come back to after the choice.
#[component]
fn Back() -> impl IntoView {
    let location = use_location();
    let here = move || return_path::here(&location.pathname.get(), &location.search.get());
    view! { <input type="hidden" name="back" value=here/> }
}

/// All languages, each by its own name.
#[component]
pub fn LanguageSwitch() -> impl IntoView {
    let locale = current_locale();
    let (current, languages) = locale
        .map(|locale| {
            let carried = locale.carried();
            (carried.language.code.clone(), carried.languages.to_vec())
        })
        .unwrap_or_default();
    view! {
        <form class="choices" method="post" action=SetPreferences::url()>
            <Back/>
            <span class="choices-l"><Icon glyph=Glyph::Globe/>{tr!("language-label")}</span>
            <span class="seg">
                {languages
                    .into_iter()
                    .map(|language| {
                        let is_current = language.code == current;
                        view! {
                            <button
                                name="language"
                                value=language.code.clone()
                                lang=language.code
                                aria-pressed=is_current.to_string()
                            >
                                {language.name}
                            </button>
                        }
                    })
                    .collect_view()}
            </span>
        </form>
    }
    .into_any()
}

/// As the system, light, dark.
#[component]
pub fn ThemeSwitch() -> impl IntoView {
    let current = use_context::<Page>()
        .map(|page| page.data.theme)
        .unwrap_or_default();
    let word = |theme| match theme {
        Theme::System => tr!("theme-system"),
        Theme::Light => tr!("theme-light"),
        Theme::Dark => tr!("theme-dark"),
    };
    view! {
        <form class="choices" method="post" action=SetPreferences::url()>
            <Back/>
            <span class="choices-l"><Icon glyph=Glyph::Eye/>{tr!("theme-label")}</span>
            <span class="seg">
                {Theme::ALL
                    .into_iter()
                    .map(|theme| {
                        view! {
                            <button
                                name="theme"
                                value=theme.as_str()
                                aria-pressed=(theme == current).to_string()
                            >
                                {word(theme)}
                            </button>
                        }
                    })
                    .collect_view()}
            </span>
        </form>
    }
    .into_any()
}
