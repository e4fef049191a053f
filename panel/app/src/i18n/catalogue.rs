//! All languages of the panel, read once when the server starts.
//!
//! A language is a folder of `locales/`, named by its code, with `.ftl` files in it. It must say
//! its own name (`language-name`) and its direction (`language-direction`, `ltr` or `rtl`).

use super::{Direction, Language, Locale, LocaleText};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The language of visitors who ask for none that is there.
pub const DEFAULT_LANGUAGE: &str = "en";

/// Why the languages could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// A file or folder could not be read.
    #[error("read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A language has messages that can't be read.
    #[error("messages of {language}: {}", complaints.join("; "))]
    Messages {
        /// Which.
        language: String,
        /// What is wrong with them.
        complaints: Vec<String>,
    },
    /// A language does not say its name or direction.
    #[error("language {language} lacks the message {message}")]
    Incomplete {
        /// Which.
        language: String,
        /// The message that it lacks.
        message: &'static str,
    },
    /// The language that all others fall back to is not there.
    #[error("no language {DEFAULT_LANGUAGE} in {path}")]
    NoDefault {
        /// Where it was looked for.
        path: PathBuf,
    },
}

/// All languages of the panel.
#[derive(Clone)]
pub struct Catalogue {
    locales: Arc<BTreeMap<String, Locale>>,
    default: Locale,
}

impl Catalogue {
    /// Reads all languages below a folder.
    ///
    /// # Errors
    /// When a file can't be read, a message can't be parsed, or English is missing: the panel
    /// does not start with half a language.
    pub fn load(folder: &Path) -> Result<Self, CatalogueError> {
        let mut texts = Vec::new();
        for path in entries(folder)? {
            let Some(code) = path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            if path.is_dir() {
                texts.push((code.to_owned(), read_messages(&path)?));
            }
        }
        Self::from_texts(texts, folder)
    }

    fn from_texts(texts: Vec<(String, String)>, folder: &Path) -> Result<Self, CatalogueError> {
        let mut named = Vec::new();
        for (code, messages) in texts {
            let (name, direction) = introduce(&code, &messages)?;
            named.push((Language { code, name }, direction, messages));
        }
        let languages: Arc<[Language]> = named
            .iter()
            .map(|(language, ..)| language.clone())
            .collect();
        let mut locales = BTreeMap::new();
        for (language, direction, messages) in named {
            let code = language.code.clone();
            let locale = parse(LocaleText {
                language,
                direction,
                messages: messages.into(),
                languages: Arc::clone(&languages),
            })?;
            locales.insert(code, locale);
        }
        let default =
            locales
                .get(DEFAULT_LANGUAGE)
                .cloned()
                .ok_or_else(|| CatalogueError::NoDefault {
                    path: folder.to_owned(),
                })?;
        Ok(Self {
            locales: Arc::new(locales),
            default,
        })
    }

    /// The locale with this code.
    #[must_use]
    pub fn get(&self, code: &str) -> Option<&Locale> {
        self.locales.get(code)
    }

    /// All locales, by code.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Locale)> {
        self.locales
            .iter()
            .map(|(code, locale)| (code.as_str(), locale))
    }

    /// The best locale for a visitor: what they chose, else what their browser asks for
    /// (`Accept-Language`, RFC 9110, 12.5.4), else English.
    #[must_use]
    pub fn choose(&self, chosen: Option<&str>, accept_language: Option<&str>) -> Locale {
        if let Some(locale) = chosen.and_then(|code| self.get(code)) {
            return locale.clone();
        }
        let wanted = accept_language.map(languages_by_weight).unwrap_or_default();
        wanted
            .iter()
            .find_map(|range| {
                self.get(range)
                    .or_else(|| self.get(range.split('-').next().unwrap_or(range)))
            })
            .unwrap_or(&self.default)
            .clone()
    }
}

/// Language ranges of `Accept-Language`, the most wanted first; refused ones (weight 0) left out.
fn languages_by_weight(header: &str) -> Vec<String> {
    let mut ranges: Vec<(u32, String)> = header
        .split(',')
        .filter_map(|item| {
            let mut parts = item.split(';');
            let range = parts.next()?.trim().to_ascii_lowercase();
            let weight = parts
                .find_map(|part| part.trim().strip_prefix("q="))
                .and_then(|text| text.trim().parse::<f32>().ok())
                .unwrap_or(1.0);
            // Thousandths: the header has at most three decimals.
            let thousandths = (weight.clamp(0.0, 1.0) * 1000.0).round() as u32;
            (thousandths > 0 && !range.is_empty()).then_some((thousandths, range))
        })
        .collect();
    ranges.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    ranges.into_iter().map(|(_, range)| range).collect()
}

/// What a language says of itself.
fn introduce(code: &str, messages: &str) -> Result<(String, Direction), CatalogueError> {
    let language = Language {
        code: code.to_owned(),
        name: String::new(),
    };
    let locale = parse(LocaleText {
        languages: Arc::new([]),
        language,
        direction: Direction::Ltr,
        messages: messages.into(),
    })?;
    let incomplete = |message| CatalogueError::Incomplete {
        language: code.to_owned(),
        message,
    };
    let name = locale
        .text("language-name", &[])
        .ok_or_else(|| incomplete("language-name"))?;
    let direction = match locale.text("language-direction", &[]).as_deref() {
        Some("ltr") => Direction::Ltr,
        Some("rtl") => Direction::Rtl,
        Some(_) | None => return Err(incomplete("language-direction")),
    };
    Ok((name, direction))
}

fn parse(text: LocaleText) -> Result<Locale, CatalogueError> {
    let language = text.language.code.clone();
    let (locale, complaints) = Locale::new(text);
    if complaints.is_empty() {
        Ok(locale)
    } else {
        Err(CatalogueError::Messages {
            language,
            complaints,
        })
    }
}

/// All `.ftl` files of a folder, one after the other.
fn read_messages(folder: &Path) -> Result<String, CatalogueError> {
    let mut messages = String::new();
    for path in entries(folder)? {
        if path.extension().is_some_and(|extension| extension == "ftl") {
            let text = std::fs::read_to_string(&path).map_err(|source| CatalogueError::Read {
                path: path.clone(),
                source,
            })?;
            // Comments are for translators, not for every page's way to the browser.
            for line in text.lines().filter(|line| !line.starts_with('#')) {
                messages.push_str(line);
                messages.push('\n');
            }
        }
    }
    Ok(messages)
}

/// The entries of a folder, by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, CatalogueError> {
    let failed = |source| CatalogueError::Read {
        path: folder.to_owned(),
        source,
    };
    let mut paths = std::fs::read_dir(folder)
        .map_err(failed)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue() -> Catalogue {
        let texts = [
            ("en", "English", "ltr"),
            ("de", "Deutsch", "ltr"),
            ("ar", "العربية", "rtl"),
        ]
        .map(|(code, name, direction)| {
            (
                code.to_owned(),
                format!("language-name = {name}\nlanguage-direction = {direction}\n"),
            )
        });
        Catalogue::from_texts(texts.to_vec(), Path::new("locales")).expect("complete")
    }

    #[test]
    fn visitors_get_the_language_they_want_most() {
        let catalogue = catalogue();
        for (chosen, accepted, expected) in [
            (None, None, "en"),
            (None, Some("de-AT,de;q=0.9,en;q=0.8"), "de"),
            (None, Some("fr, en;q=0.5, de;q=0.7"), "de"),
            (None, Some("fr"), "en"),
            (None, Some("de;q=0, en"), "en"),
            (None, Some(";;q=,,"), "en"),
            (Some("de"), Some("en"), "de"),
            (Some("../../etc"), Some("de"), "de"),
        ] {
            let locale = catalogue.choose(chosen, accepted);
            assert_eq!(
                locale.carried().language.code,
                expected,
                "{chosen:?} {accepted:?}"
            );
        }
    }

    #[test]
    fn every_locale_knows_all_languages_and_its_own_direction() {
        let catalogue = catalogue();
        let arabic = catalogue.get("ar").expect("loaded").carried();
        assert_eq!(arabic.direction, Direction::Rtl);
        assert_eq!(arabic.languages.len(), 3);
    }

    #[test]
    fn a_language_without_name_is_refused() {
        let texts = vec![("en".to_owned(), "language-direction = ltr\n".to_owned())];
        assert!(matches!(
            Catalogue::from_texts(texts, Path::new("locales")),
            Err(CatalogueError::Incomplete {
                message: "language-name",
                ..
            })
        ));
    }

    #[test]
    fn english_must_be_there() {
        assert!(matches!(
            Catalogue::from_texts(Vec::new(), Path::new("locales")),
            Err(CatalogueError::NoDefault { .. })
        ));
    }
}
