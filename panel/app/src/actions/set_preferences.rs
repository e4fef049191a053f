//! Language and theme of a visitor, kept in cookies: no account needed.

use crate::refusal::Refusal;
use leptos::prelude::*;

/// Keeps a language, a theme, or both, and goes back to the page it was chosen on.
///
/// # Errors
/// None of its own; what is unknown is kept and ignored.
#[allow(
    clippy::unused_async,
    reason = "server functions are async by contract"
)]
#[server(prefix = "/do", endpoint = "set-preferences")]
pub async fn set_preferences(
    #[server(default)] language: String,
    #[server(default)] theme: String,
    #[server(default)] back: String,
) -> Result<(), Refusal> {
    use crate::page_data::Theme;
    use crate::{cookies, return_path};
    use http::{HeaderValue, header};
    use leptos_axum::ResponseOptions;

    let mut chosen = Vec::new();
    if !language.is_empty() {
        chosen.push(cookies::preference(cookies::LANGUAGE, &language));
    }
    if !theme.is_empty() {
        let theme = Theme::parse(&theme).as_str();
        chosen.push(cookies::preference(cookies::THEME, theme));
    }
    if let Some(options) = use_context::<ResponseOptions>() {
        for cookie in chosen {
            if let Ok(value) = HeaderValue::from_str(&cookie) {
                options.append_header(header::SET_COOKIE, value);
            }
        }
    }
    let back = match return_path::checked(&back) {
        Some(path) => path,
        None if back.starts_with("/sign-in") && !back.contains('\\') => back.as_str(),
        None => "/",
    };
    leptos_axum::redirect(back);
    Ok(())
}
