//! Every text that a person reads: fluent messages by id, in the language of the page.
//!
//! The server loads `locales/<lang>/*.ftl` ([`catalogue`]); a page carries the messages of its one
//! language, from which the browser builds the same [`Locale`]. Texts are asked for with
//! [`tr!`](crate::tr); a test proves that every id stands in every language. How numbers, sizes
//! and times are written is in [`mod@format`].

#[cfg(feature = "ssr")]
pub mod catalogue;
pub mod format;
mod locale;

pub use fluent_bundle::FluentValue;
pub use locale::{Direction, Language, Locale, LocaleText};

use leptos::prelude::{provide_context, use_context};

/// The message with this id, in the page's language.
///
/// `tr!("site-new")`, or with arguments `tr!("sites-count", count = 3)`. The id is a literal, so
/// that the test can find it.
#[macro_export]
macro_rules! tr {
    ($id:literal) => {
        $crate::i18n::text($id, &[])
    };
    ($id:literal, $($name:ident = $value:expr),+ $(,)?) => {
        $crate::i18n::text($id, &[$((stringify!($name), $crate::i18n::FluentValue::from($value))),+])
    };
}

/// Makes the locale known to the page that is rendered here.
pub fn provide_locale(locale: Locale) {
    #[cfg(not(feature = "ssr"))]
    locale::keep_for_browser(locale.clone());
    provide_context(locale);
}

/// The locale of the page; in the browser also outside of components (events, tasks).
#[must_use]
pub fn current_locale() -> Option<Locale> {
    #[cfg(not(feature = "ssr"))]
    if let Some(locale) = locale::kept_in_browser() {
        return Some(locale);
    }
    use_context::<Locale>()
}

/// The message with this id. Prefer [`tr!`](crate::tr) where the id is known.
#[must_use]
pub fn text(id: &str, arguments: &[(&'static str, FluentValue<'static>)]) -> String {
    text_if_any(id, arguments).unwrap_or_else(|| {
        #[cfg(feature = "ssr")]
        tracing::debug!(message.id = id, "no text for this message");
        id.to_owned()
    })
}

/// The message with this id, where there is one: for ids that come from the cluster, such as the
/// steps of a job.
#[must_use]
pub fn text_if_any(id: &str, arguments: &[(&'static str, FluentValue<'static>)]) -> Option<String> {
    current_locale()?.text(id, arguments)
}
