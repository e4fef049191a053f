//! The document around the panel, drawn by the server only: language, theme, style, what the
//! browser needs to take the page over.

use crate::app::App;
use crate::page_data::{ELEMENT_ID, Page, Theme};
use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_meta::MetaTags;

/// Where the browser's half and the style sheet are, each with the hash of its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assets {
    /// The style sheet.
    pub style: String,
    /// The JavaScript that loads the module.
    pub script: String,
    /// The module.
    pub module: String,
}

/// Seconds after which a page that shows work in progress is loaded anew without JavaScript.
const REFRESH_SECONDS: u32 = 3;

/// The document.
pub fn shell(assets: &Assets) -> impl IntoView + use<> {
    let page = use_context::<Page>();
    let (language, direction, theme, data, refreshes) = page.map_or_else(
        || (String::new(), "ltr", Theme::System, String::new(), false),
        |page| {
            let locale = &page.data.locale;
            (
                locale.language.code.clone(),
                locale.direction.as_str(),
                page.data.theme,
                page.data.to_script(),
                page.data.refreshes,
            )
        },
    );
    let nonce = use_nonce();
    let take_over = format!(
        "import start,{{hydrate}} from '{}';start({{module_or_path:'{}'}}).then(hydrate);",
        assets.script, assets.module
    );
    let refresh = refreshes.then(|| {
        let content = REFRESH_SECONDS.to_string();
        view! { <noscript><meta http-equiv="refresh" content=content/></noscript> }
    });
    view! {
        <!DOCTYPE html>
        <html lang=language dir=direction data-theme=theme.as_str()>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <link rel="stylesheet" href=assets.style.clone()/>
                <link
                    rel="preload"
                    href="/fonts/ibm-plex-sans-latin-wght-normal.woff2"
                    r#as="font"
                    type="font/woff2"
                    crossorigin="anonymous"
                />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                <link rel="modulepreload" href=assets.script.clone()/>
                <link
                    rel="preload"
                    href=assets.module.clone()
                    r#as="fetch"
                    type="application/wasm"
                    crossorigin="anonymous"
                />
                {refresh}
                <script type="application/json" id=ELEMENT_ID inner_html=data></script>
                <script type="module" nonce=nonce inner_html=take_over></script>
                <MetaTags/>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
}
