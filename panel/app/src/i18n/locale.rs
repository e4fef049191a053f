//! One language: its name, its direction, its messages.

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Which way a language is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Left to right.
    Ltr,
    /// Right to left.
    Rtl,
}

impl Direction {
    /// As in HTML's `dir`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ltr => "ltr",
            Self::Rtl => "rtl",
        }
    }
}

/// A language that the panel can speak, as it stands in the language switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Language {
    /// Its code, such as `de`.
    pub code: String,
    /// Its own name for itself, such as `Deutsch`.
    pub name: String,
}

/// A language with its messages, as a page carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocaleText {
    /// The language.
    pub language: Language,
    /// Which way it is written.
    pub direction: Direction,
    /// All its messages, in fluent's syntax.
    pub messages: Arc<str>,
    /// All languages there are, this one included.
    pub languages: Arc<[Language]>,
}

/// A language that is ready to answer with texts.
#[derive(Clone)]
pub struct Locale {
    text: Arc<LocaleText>,
    bundle: Arc<FluentBundle<FluentResource>>,
}

impl Locale {
    /// Reads the messages. Those that are broken are left out, with the reasons given back.
    #[must_use]
    pub fn new(text: LocaleText) -> (Self, Vec<String>) {
        let mut complaints = Vec::new();
        let resource =
            FluentResource::try_new(text.messages.to_string()).unwrap_or_else(|(rest, errors)| {
                complaints.extend(errors.iter().map(ToString::to_string));
                rest
            });
        let language = text
            .language
            .code
            .parse()
            .unwrap_or_else(|_| unic_langid::LanguageIdentifier::default());
        let mut bundle = FluentBundle::new_concurrent(vec![language]);
        // Arguments are isolated where text runs against them; elsewhere the invisible marks only
        // make texts hard to search and to copy.
        bundle.set_use_isolating(text.direction == Direction::Rtl);
        if let Err(errors) = bundle.add_resource(resource) {
            complaints.extend(errors.iter().map(ToString::to_string));
        }
        let locale = Self {
            text: Arc::new(text),
            bundle: Arc::new(bundle),
        };
        (locale, complaints)
    }

    /// What the page carries of it.
    #[must_use]
    pub fn carried(&self) -> &LocaleText {
        &self.text
    }

    /// The message with this id, if there is one.
    #[must_use]
    pub fn text(
        &self,
        id: &str,
        arguments: &[(&'static str, FluentValue<'static>)],
    ) -> Option<String> {
        let pattern = self.bundle.get_message(id)?.value()?;
        let mut given = FluentArgs::with_capacity(arguments.len());
        for (name, value) in arguments {
            given.set(*name, value.clone());
        }
        let mut errors = Vec::new();
        let text = self
            .bundle
            .format_pattern(pattern, Some(&given), &mut errors);
        Some(text.into_owned())
    }
}

/// The one locale of this browser page: set when the page is taken over, never changed (another
/// language is another page).
#[cfg(not(feature = "ssr"))]
static OF_THIS_PAGE: std::sync::OnceLock<Locale> = std::sync::OnceLock::new();

/// Keeps the locale for events and tasks, which have no context.
#[cfg(not(feature = "ssr"))]
pub(super) fn keep_for_browser(locale: Locale) {
    let _kept_the_first = OF_THIS_PAGE.set(locale);
}

/// The locale of this browser page.
#[cfg(not(feature = "ssr"))]
pub(super) fn kept_in_browser() -> Option<Locale> {
    OF_THIS_PAGE.get().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locale(direction: Direction, messages: &str) -> Locale {
        let language = Language {
            code: "en".to_owned(),
            name: "English".to_owned(),
        };
        let (locale, complaints) = Locale::new(LocaleText {
            languages: Arc::new([language.clone()]),
            language,
            direction,
            messages: messages.into(),
        });
        assert_eq!(complaints, Vec::<String>::new());
        locale
    }

    #[test]
    fn arguments_and_plurals_are_filled_in() {
        let locale = locale(
            Direction::Ltr,
            "sites = { $count ->\n    [one] One site\n   *[other] { $count } sites\n }\n",
        );
        assert_eq!(
            locale.text("sites", &[("count", 1.into())]).as_deref(),
            Some("One site")
        );
        assert_eq!(
            locale.text("sites", &[("count", 3.into())]).as_deref(),
            Some("3 sites")
        );
        assert_eq!(locale.text("missing", &[]), None);
    }

    #[test]
    fn arguments_are_isolated_in_languages_written_right_to_left() {
        let ltr = locale(Direction::Ltr, "on = on { $node }\n");
        let rtl = locale(Direction::Rtl, "on = on { $node }\n");
        let argument = [("node", "n1".into())];
        assert_eq!(ltr.text("on", &argument).as_deref(), Some("on n1"));
        assert_eq!(
            rtl.text("on", &argument).as_deref(),
            Some("on \u{2068}n1\u{2069}")
        );
    }

    #[test]
    fn broken_messages_are_reported_and_the_others_kept() {
        let language = Language {
            code: "en".to_owned(),
            name: "English".to_owned(),
        };
        let (locale, complaints) = Locale::new(LocaleText {
            languages: Arc::new([]),
            language,
            direction: Direction::Ltr,
            messages: "good = Good\nbroken = { $\nfine = Fine\n".into(),
        });
        assert_eq!(complaints.len(), 1);
        assert_eq!(locale.text("good", &[]).as_deref(), Some("Good"));
        assert_eq!(locale.text("fine", &[]).as_deref(), Some("Fine"));
    }
}
