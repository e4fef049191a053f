//! The panel's pages and components, for the server and for the browser.
//!
//! The server draws whole pages ([`shell`]) from what it gathered ([`page_data`]); the browser
//! takes them over (`hydrate`) and keeps them fresh by events ([`live`]). Both draw with the same
//! code: [`app`], [`pages`], [`components`]. What a page asks of the server is in [`actions`].
//! Everything works without JavaScript, except that nothing updates by itself.
//!
//! Knows the cluster only through `hwc-api`; what is allowed is decided there, never here.

#![recursion_limit = "512"]

pub mod actions;
pub mod app;
pub mod browser;
pub mod components;
pub mod cookies;
pub mod finder;
pub mod i18n;
pub mod job_text;
pub mod live;
pub mod map_layout;
pub mod move_text;
pub mod node_text;
pub mod page_data;
pub mod pages;
pub mod password;
pub mod protection;
pub mod refusal;
pub mod return_path;
#[cfg(feature = "ssr")]
pub mod server;
#[cfg(feature = "ssr")]
pub mod shell;
pub mod site_text;
pub mod tone;

/// Takes over the page that the server drew. Called once, when the module is loaded.
#[cfg(feature = "hydrate")]
pub fn hydrate() {
    use leptos::prelude::{document, provide_context};
    use page_data::{ELEMENT_ID, Page, PageData};
    use std::sync::Arc;

    let carried = document()
        .get_element_by_id(ELEMENT_ID)
        .and_then(|element| element.text_content())
        .and_then(|text| serde_json::from_str::<PageData>(&text).ok());
    // A page that this code can't read was drawn by another version: it works without us.
    let Some(data) = carried else { return };
    let (locale, _complaints_were_for_the_server) = i18n::Locale::new(data.locale.clone());
    let page = Page {
        data: Arc::new(data),
        locale,
    };
    leptos::mount::hydrate_body(move || {
        provide_context(page.clone());
        app::App()
    });
}
