//! How an answer is printed: text for people, one JSON object for programs; errors in words on standard error too.

use std::io::Write;
use std::process::ExitCode;

use serde_json::{Value, json};

/// Ctrl-C, as shells say it: 128 + SIGINT.
const INTERRUPTED: u8 = 130;

/// What a command found out.
pub struct Answer {
    text: String,
    error: Option<String>,
    json: Value,
    code: u8,
}

impl Answer {
    /// Text and object that say the same.
    pub fn new(text: impl Into<String>, json: Value) -> Self {
        Self {
            text: text.into(),
            error: None,
            json,
            code: 0,
        }
    }

    /// The same with another exit code.
    pub fn with_code(self, code: i32) -> Self {
        Self {
            code: u8::try_from(code).unwrap_or(u8::MAX),
            ..self
        }
    }

    /// An error with all its causes.
    pub fn failure(error: &anyhow::Error) -> Self {
        let is_interruption = matches!(
            error.downcast_ref::<hwc_lab::Error>(),
            Some(hwc_lab::Error::Interrupted)
        );
        let message = format!("{error:#}");
        let json = json!({ "ok": false, "error": message });
        let code = if is_interruption { INTERRUPTED } else { 1 };
        Self {
            text: String::new(),
            error: Some(message),
            json,
            code,
        }
    }

    /// Prints it. A closed standard output is nobody's loss.
    pub fn print(self, is_json: bool) -> ExitCode {
        if let Some(error) = self.error {
            let _ = writeln!(std::io::stderr(), "hwc-lab: {error}");
        }
        let mut stdout = std::io::stdout();
        if is_json {
            let _ = writeln!(stdout, "{}", self.json);
        } else if !self.text.is_empty() {
            let _ = writeln!(stdout, "{}", self.text.trim_end());
        }
        ExitCode::from(self.code)
    }
}
