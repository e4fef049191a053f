//! The few things that only a browser can do. On the server each of them does nothing.

/// Leaves for the sign-in page, to come back here afterwards.
pub fn go_to_sign_in() {
    #[cfg(feature = "hydrate")]
    {
        let location = leptos::prelude::window().location();
        let here = format!(
            "{}{}",
            location.pathname().unwrap_or_default(),
            location.search().unwrap_or_default()
        );
        let _left = location.assign(&crate::return_path::sign_in_address(&here, true));
    }
}

/// Keeps a preference in a cookie for a year, for the server to draw the next page by it.
pub fn keep_preference(name: &str, value: &str) {
    #[cfg(feature = "hydrate")]
    {
        use wasm_bindgen::JsCast;
        let document = leptos::prelude::document();
        if let Some(document) = document.dyn_ref::<web_sys::HtmlDocument>() {
            let _kept = document.set_cookie(&crate::cookies::preference(name, value));
        }
    }
    #[cfg(not(feature = "hydrate"))]
    let _only_a_browser_has_cookies = (name, value);
}

/// Puts a text on the clipboard. Answers once it is there, and whether it is.
pub async fn copy_to_clipboard(text: String) -> bool {
    #[cfg(feature = "hydrate")]
    {
        let clipboard = leptos::prelude::window().navigator().clipboard();
        let promise = clipboard.write_text(&text);
        wasm_bindgen_futures::JsFuture::from(promise).await.is_ok()
    }
    #[cfg(not(feature = "hydrate"))]
    {
        let _no_clipboard_here = text;
        std::future::ready(false).await
    }
}

/// A password that nobody guesses: letters and digits without those that look alike. Empty where
/// there is no source of randomness.
#[must_use]
pub fn generate_password() -> String {
    #[cfg(feature = "hydrate")]
    {
        let mut random = [0_u8; GENERATED_LENGTH * 4];
        let drawn = leptos::prelude::window()
            .crypto()
            .and_then(|crypto| crypto.get_random_values_with_u8_array(&mut random));
        if drawn.is_ok() {
            return crate::password::from_random(&random, GENERATED_LENGTH);
        }
    }
    String::new()
}

/// 20 characters of 55: 115 bits.
#[cfg(feature = "hydrate")]
const GENERATED_LENGTH: usize = 20;

/// Moves the focus to the element with this id, or to what in it asks for the focus first.
pub fn focus_page(id: &str) {
    #[cfg(feature = "hydrate")]
    {
        use wasm_bindgen::JsCast;
        let document = leptos::prelude::document();
        let asking = document.query_selector(&format!("#{id} [autofocus]"));
        let element = asking
            .ok()
            .flatten()
            .or_else(|| document.get_element_by_id(id));
        if let Some(element) =
            element.and_then(|found| found.dyn_into::<web_sys::HtmlElement>().ok())
        {
            let _focused = element.focus();
        }
    }
    #[cfg(not(feature = "hydrate"))]
    let _no_focus_on_the_server = id;
}

/// Milliseconds since 1970 by the browser's clock.
#[cfg(feature = "hydrate")]
#[must_use]
pub fn now() -> hwc_api::time::WallTime {
    hwc_api::time::WallTime(js_sys::Date::now() as i64)
}
