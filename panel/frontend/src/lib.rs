//! The panel in the browser: takes over the page that the server rendered.
//!
//! Everything that can be seen is in `hwc-panel-app`; this crate only is the door for JavaScript.

/// Takes over the page. Called once, by the script in the page's head.
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    hwc_panel_app::hydrate();
}
