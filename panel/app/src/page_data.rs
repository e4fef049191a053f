//! What a page knows before it is drawn: language, theme, who is signed in, what is in sight.
//!
//! The server gathers it once per request (`panel/server`, `page.rs`) and writes it into the
//! document as JSON; the browser reads it back, so that both draw the very same page.

use crate::i18n::{Locale, LocaleText};
use hwc_api::job::Job;
use hwc_api::v1::{AccountView, DrainView, JobView, MovesView, StatusView};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::refusal::Refusal;

/// The id of the `<script type="application/json">` that carries the page's data.
pub const ELEMENT_ID: &str = "hwc-page";

/// Light or dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Theme {
    /// As the visitor's system has it.
    #[default]
    System,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

impl Theme {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// As in the cookie and in `data-theme`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Reads what a cookie or form says; the system's theme for anything unknown.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|theme| theme.as_str() == text)
            .unwrap_or_default()
    }
}

/// How lists are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListView {
    /// As cards, or as a map.
    #[default]
    Cards,
    /// As a table.
    Table,
}

impl ListView {
    /// As in addresses and cookies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cards => "cards",
            Self::Table => "table",
        }
    }

    /// Reads what an address or cookie says.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Cards, Self::Table]
            .into_iter()
            .find(|view| view.as_str() == text)
    }
}

/// What is in sight of the visitor who is signed in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// Who is signed in.
    pub account: AccountView,
    /// The cluster, its nodes and the visitor's sites.
    pub status: StatusView,
    /// All accounts, for administrators.
    pub accounts: Vec<AccountView>,
    /// Jobs that a page is about, beyond the newest of each site.
    pub jobs: Vec<JobView>,
    /// Moves under way and ended: all of them for administrators, those of the page's site for
    /// customers. None where they were not asked for.
    #[serde(default)]
    pub moves: Option<MovesView>,
    /// Nodes that are being emptied, for administrators.
    #[serde(default)]
    pub drains: Vec<DrainView>,
}

impl Frame {
    /// A job in sight, wherever it stands.
    #[must_use]
    pub fn job(&self, id: hwc_api::ids::JobId) -> Option<&JobView> {
        let of_sites = self.status.sites.iter().flat_map(|site| &site.jobs);
        self.jobs
            .iter()
            .chain(of_sites)
            .find(|job| job.job.id == id)
    }
}

/// Whether a job goes on.
#[must_use]
pub const fn is_running(job: &Job) -> bool {
    job.outcome.is_none()
}

/// What stands in the place of the frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Visitor {
    /// Nobody is signed in.
    Stranger,
    /// Somebody is, and this is in sight.
    SignedIn(Box<Frame>),
    /// It could not be found out.
    Unknown(Refusal),
}

/// Everything that a page knows before it is drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PageData {
    /// The language with its messages.
    pub locale: LocaleText,
    /// Light or dark.
    pub theme: Theme,
    /// How the visitor last looked at lists.
    pub view: ListView,
    /// Who is there.
    pub visitor: Visitor,
    /// A secret to be shown once, when JavaScript could not show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown_once: Option<String>,
    /// Whether the page should be loaded anew after a while where JavaScript can't keep it fresh.
    #[serde(default)]
    pub refreshes: bool,
}

/// The page's data with its language ready to speak, as it is handed around.
#[derive(Clone)]
pub struct Page {
    /// The data.
    pub data: Arc<PageData>,
    /// The language.
    pub locale: Locale,
}

impl PageData {
    /// As JSON that may stand inside a `<script>` element: no `<` can end the element.
    #[must_use]
    pub fn to_script(&self) -> String {
        serde_json::to_string(self)
            .unwrap_or_default()
            .replace('<', "\\u003c")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::{Direction, Language};

    #[test]
    fn page_data_can_not_end_its_script_element() {
        let language = Language {
            code: "en".to_owned(),
            name: "</script><script>alert(1)</script>".to_owned(),
        };
        let data = PageData {
            locale: LocaleText {
                languages: Arc::new([language.clone()]),
                language,
                direction: Direction::Ltr,
                messages: "<!--".into(),
            },
            theme: Theme::Dark,
            view: ListView::Table,
            visitor: Visitor::Stranger,
            shown_once: None,
            refreshes: false,
        };
        let script = data.to_script();
        assert!(!script.contains('<'));
        assert_eq!(serde_json::from_str::<PageData>(&script).ok(), Some(data));
    }

    #[test]
    fn unknown_themes_are_the_systems() {
        assert_eq!(Theme::parse("dark"), Theme::Dark);
        assert_eq!(Theme::parse("\"><script>"), Theme::System);
    }
}
