//! What a server function answers when it could not do what was asked.
//!
//! Either the cluster refused, with a [`Problem`] whose text is translated here by its code; or
//! nobody answered. `kept` is what the visitor had typed (never a secret): without JavaScript the
//! form is drawn anew, and nothing that was typed may be lost.

use crate::i18n;
use crate::tr;
use hwc_api::names::{DomainName, EmailAddress, LoginName, NameError};
use hwc_api::problem::{Problem, ProblemCode};
use leptos::server_fn::codec::JsonEncoding;
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What was answered.
    pub reason: Reason,
    /// What the visitor had typed, by field; no secrets.
    #[serde(default)]
    pub kept: BTreeMap<String, String>,
}

/// What stood in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The cluster refused.
    Problem(Problem),
    /// The panel, or the daemon behind it, did not answer.
    Unreachable,
}

impl Refusal {
    /// Nobody answered.
    #[must_use]
    pub const fn unreachable() -> Self {
        Self {
            reason: Reason::Unreachable,
            kept: BTreeMap::new(),
        }
    }

    /// The same, with what the visitor had typed.
    #[must_use]
    pub fn keeping<const N: usize>(mut self, typed: [(&str, &str); N]) -> Self {
        self.kept = typed
            .into_iter()
            .map(|(field, value)| (field.to_owned(), value.to_owned()))
            .collect();
        self
    }

    /// The kind of problem, where the cluster answered.
    #[must_use]
    pub fn code(&self) -> Option<ProblemCode> {
        match &self.reason {
            Reason::Problem(problem) => Some(problem.code),
            Reason::Unreachable => None,
        }
    }

    /// The field that it concerns.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        match &self.reason {
            Reason::Problem(problem) => problem.field.as_deref(),
            Reason::Unreachable => None,
        }
    }

    /// Whether the visitor has to sign in before anything else.
    #[must_use]
    pub fn asks_to_sign_in(&self) -> bool {
        matches!(
            self.code(),
            Some(ProblemCode::SignInRequired | ProblemCode::SessionExpired)
        )
    }

    /// What happened and what to do, in the page's language.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.reason {
            // The rule that was broken is found again here, to be said in the page's language.
            Reason::Problem(problem) => self
                .field()
                .and_then(|field| Some((field, self.kept.get(field)?)))
                .filter(|_| {
                    matches!(
                        problem.code,
                        ProblemCode::Invalid | ProblemCode::DomainInvalid
                    )
                })
                .and_then(|(field, typed)| rule_text(field, typed))
                .unwrap_or_else(|| problem_text(problem)),
            Reason::Unreachable => tr!("refusal-unreachable"),
        }
    }
}

/// Which rule a name breaks that somebody typed; none where this field has no such rules.
fn rule_text(field: &str, typed: &str) -> Option<String> {
    let typed = typed.trim_matches(' ');
    let broken = match field {
        "domain" => DomainName::parse(typed).err(),
        "login" => LoginName::parse(typed).err(),
        "email" | "admin_email" => EmailAddress::parse(typed).err(),
        _other => None,
    }?;
    Some(match broken {
        NameError::Empty => tr!("rule-empty"),
        NameError::TooLong { limit } => tr!("rule-too-long", limit = limit),
        NameError::Character(character) if character.0.is_whitespace() => tr!("rule-space"),
        NameError::Character(character) => {
            tr!("rule-character", character = shown(character.0))
        }
        NameError::Shape(_) if field == "domain" => tr!("rule-domain"),
        NameError::Shape(_) => tr!("rule-shape"),
    })
}

/// A character as it can stand in a sentence.
fn shown(character: char) -> String {
    if character.is_control() {
        format!("U+{:04X}", u32::from(character))
    } else {
        character.to_string()
    }
}

/// The least and the most that a value may be, as the cluster names them: `10-100`.
fn range_of(problem: &Problem) -> Option<(u32, u32)> {
    if problem.code != ProblemCode::Invalid {
        return None;
    }
    let (least, most) = problem.detail.as_deref()?.split_once('-')?;
    Some((least.parse().ok()?, most.parse().ok()?))
}

/// A problem in the page's language: the message `problem-<code>`, which may quote the detail.
#[must_use]
pub fn problem_text(problem: &Problem) -> String {
    if let Some((least, most)) = range_of(problem) {
        return tr!("rule-range", least = least, most = most);
    }
    let mut detail = problem.detail.clone().unwrap_or_default();
    // An installation names the step that failed, which has its own words.
    if problem.code == ProblemCode::InstallFailed {
        let step = format!("job-step-{detail}");
        detail = i18n::text_if_any(&step, &[("app", "".into())]).unwrap_or(detail);
    }
    i18n::text(
        &format!("problem-{}", problem.code),
        &[
            (
                "has_detail",
                if detail.is_empty() { "no" } else { "yes" }.into(),
            ),
            ("detail", detail.into()),
        ],
    )
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self {
            reason: Reason::Problem(problem),
            kept: BTreeMap::new(),
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.reason {
            Reason::Problem(problem) => problem.fmt(f),
            Reason::Unreachable => f.write_str("nobody answered"),
        }
    }
}

impl std::error::Error for Refusal {}

impl FromServerFnError for Refusal {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Args(_)
            | ServerFnErrorErr::MissingArg(_)
            | ServerFnErrorErr::Deserialization(_) => {
                Problem::new(ProblemCode::Malformed, error.to_string()).into()
            }
            ServerFnErrorErr::Registration(_)
            | ServerFnErrorErr::UnsupportedRequestMethod(_)
            | ServerFnErrorErr::Request(_)
            | ServerFnErrorErr::Response(_)
            | ServerFnErrorErr::ServerError(_)
            | ServerFnErrorErr::MiddlewareError(_)
            | ServerFnErrorErr::Serialization(_) => Self::unreachable(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_survives_the_way_through_the_address_of_a_page() {
        let refusal = Refusal::from(
            Problem::new(ProblemCode::DomainTaken, "taken")
                .field("domain")
                .detail("a.example"),
        )
        .keeping([("domain", "a.example")]);
        assert_eq!(Refusal::de(refusal.ser()), refusal);
        assert_eq!(refusal.field(), Some("domain"));
    }

    #[test]
    fn ranges_are_read_from_what_the_cluster_names() {
        let invalid = |detail: &str| Problem::new(ProblemCode::Invalid, "x").detail(detail);
        assert_eq!(range_of(&invalid("10-86400")), Some((10, 86_400)));
        for none in ["", "10", "-", "a-b", "no-such-rule"] {
            assert_eq!(range_of(&invalid(none)), None, "{none}");
        }
        let other = Problem::new(ProblemCode::Conflict, "x").detail("1-2");
        assert_eq!(range_of(&other), None);
    }

    #[test]
    fn what_is_no_refusal_reads_as_a_malformed_request() {
        let read = Refusal::de(bytes_of("{\"reason\":\"nonsense\"}"));
        assert_eq!(read.code(), Some(ProblemCode::Malformed));
    }

    fn bytes_of(text: &str) -> leptos::server_fn::Bytes {
        leptos::server_fn::Bytes::from(text.to_owned())
    }
}
