//! The log of a run: what a reader of the story wants to know, or every event and action.

use crate::time::Moment;
use hwc_api::ids::NodeId;
use hwc_state_machine::{Action, Event};

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// Nothing: the fastest.
    #[default]
    Silent,
    /// What an operator would tell.
    Story,
    /// And every event and action of every brain.
    Steps,
}

/// The log of a run.
#[derive(Debug, Clone)]
pub struct Chronicle {
    verbosity: Verbosity,
    lines: Vec<String>,
}

impl Chronicle {
    pub(crate) const fn new(verbosity: Verbosity) -> Self {
        Self {
            verbosity,
            lines: Vec::new(),
        }
    }

    pub(crate) fn lines(&self) -> &[String] {
        &self.lines
    }

    pub(crate) fn tell(&mut self, now: Moment, line: impl FnOnce() -> String) {
        if self.verbosity >= Verbosity::Story {
            self.lines.push(format!("{now} {}", line()));
        }
    }

    pub(crate) fn event(&mut self, now: Moment, node: NodeId, event: &Event) {
        if self.verbosity >= Verbosity::Steps {
            self.lines.push(format!("{now}   {node} < {event:?}"));
        }
    }

    pub(crate) fn action(&mut self, now: Moment, node: NodeId, action: &Action) {
        if self.verbosity >= Verbosity::Steps {
            let Action { dataset, command } = action;
            self.lines
                .push(format!("{now}   {node} > {dataset}: {command:?}"));
        }
    }
}
