//! What went wrong, for the person who asked: a stable code, a sentence, the field it concerns.
//!
//! The English message is for API users and logs; the panel translates by code (fluent message
//! `problem-<code>`), with `detail` as its one argument. Internal errors never appear here: they
//! are logged under an incident number, and the problem names that number.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A refusal or failure as it travels in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// What kind of problem; stable, for programs.
    pub code: ProblemCode,
    /// What happened and what to do, in English.
    pub message: String,
    /// The field of the request that it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The value that the translated message quotes (a limit, a name, an incident number).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Problem {
    /// A problem without field or detail.
    pub fn new(code: ProblemCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            field: None,
            detail: None,
        }
    }

    /// The same, about one field of the request.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// The same, with the value that the translated message quotes.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident => $text:literal, $status:literal;)*) => {
        /// The kinds of problems. Texts are stable: programs match on them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum ProblemCode {
            $($(#[$doc])* #[serde(rename = $text)] $variant,)*
        }

        impl ProblemCode {
            /// All codes, for tests that every one has its text in every language.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// As it stands in JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The HTTP status that goes with it.
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }
        }
    };
}

codes! {
    /// The request's JSON could not be read, or has unknown or missing fields.
    Malformed => "malformed", 422;
    /// A field's value breaks its rule; `detail` says which.
    Invalid => "invalid", 422;
    /// Nobody is signed in.
    SignInRequired => "sign-in-required", 401;
    /// The session is over.
    SessionExpired => "session-expired", 401;
    /// Login name or password is wrong.
    WrongPassword => "wrong-password", 401;
    /// Too many wrong passwords from this address; `detail` is seconds to wait.
    TooManyAttempts => "too-many-attempts", 429;
    /// The account's role does not allow it.
    Forbidden => "forbidden", 403;
    /// The request came from another web site.
    ForeignOrigin => "foreign-origin", 403;
    /// There is no such thing, or it is none of the asker's.
    NotFound => "not-found", 404;
    /// The domain belongs to a site already; `detail` is the domain.
    DomainTaken => "domain-taken", 409;
    /// The text is no valid domain name; `detail` is the rule.
    DomainInvalid => "domain-invalid", 422;
    /// The login name belongs to an account already.
    LoginTaken => "login-taken", 409;
    /// The password is too short or too common; `detail` is the least length.
    PasswordWeak => "password-weak", 422;
    /// The account has as many sites as it may; `detail` is the limit.
    SiteLimit => "site-limit", 409;
    /// The account has as many databases as it may; `detail` is the limit.
    DatabaseLimit => "database-limit", 409;
    /// The database or user name belongs to a database already.
    DatabaseTaken => "database-taken", 409;
    /// No node can hold another dataset.
    NoNode => "no-node", 503;
    /// There is no node of this name.
    UnknownNode => "unknown-node", 404;
    /// The node does not answer.
    NodeDown => "node-down", 503;
    /// The node is being drained.
    NodeDraining => "node-draining", 409;
    /// The node is not being drained.
    NodeNotDraining => "node-not-draining", 409;
    /// The node has not enough room; `detail` is the bytes that are needed.
    NodeFull => "node-full", 409;
    /// The node hosts nothing, or not this.
    NodeNotHosting => "node-not-hosting", 409;
    /// The node answers; only nodes that are gone can be declared lost. `detail` is its name.
    NodeAlive => "node-alive", 409;
    /// The site is live on this node already.
    AlreadyThere => "already-there", 409;
    /// A move was called off; the site is where it was. `detail` is why.
    MoveCalledOff => "move-called-off", 409;
    /// Datasets would be left with fewer copies than they should have; `detail` is how many.
    TooFewCopies => "too-few-copies", 409;
    /// The last node that hosts sites can't be emptied or removed.
    LastNode => "last-node", 409;
    /// The node's name or address belongs to another node.
    NodeTaken => "node-taken", 409;
    /// The join token is unknown.
    TokenWrong => "token-wrong", 403;
    /// The join token was used.
    TokenUsed => "token-used", 403;
    /// The join token is out of date.
    TokenExpired => "token-expired", 403;
    /// The caller belongs to another cluster.
    OtherCluster => "other-cluster", 403;
    /// This node already belongs to a cluster.
    AlreadyMember => "already-member", 409;
    /// This node belongs to no cluster yet.
    NotMember => "not-member", 409;
    /// There is no such application in the catalogue.
    UnknownApp => "unknown-app", 404;
    /// The site holds files already; installing would replace them.
    SiteNotEmpty => "site-not-empty", 409;
    /// The application's archive does not have the catalogue's checksum.
    ArchiveChecksum => "archive-checksum", 502;
    /// The application's archive could not be had.
    ArchiveUnavailable => "archive-unavailable", 502;
    /// A step of the installation failed; `detail` is the step.
    InstallFailed => "install-failed", 500;
    /// The node that did the work died; the work can be begun again.
    JobInterrupted => "job-interrupted", 500;
    /// The site has work under way already.
    SiteBusy => "site-busy", 409;
    /// The site is served by no node just now.
    SiteNotLive => "site-not-live", 503;
    /// The disk of the node is full.
    DiskFull => "disk-full", 507;
    /// The settings can't be changed: most voters are out of reach.
    SettingsReadOnly => "settings-read-only", 503;
    /// A service refused the configuration; the old one stays. `detail` is its message.
    ConfigurationRefused => "configuration-refused", 500;
    /// The request is larger than allowed.
    TooLarge => "too-large", 413;
    /// The object changed in between.
    Conflict => "conflict", 409;
    /// Something broke inside; `detail` is the incident number in the log.
    Internal => "internal", 500;
}

impl fmt::Display for ProblemCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_read_in_json_as_they_are_named() {
        for code in ProblemCode::ALL {
            let json = serde_json::to_string(code).expect("plain enum");
            assert_eq!(json, format!("\"{code}\""));
            assert!((400..600).contains(&code.http_status()));
        }
    }
}
