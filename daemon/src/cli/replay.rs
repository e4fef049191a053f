//! `hwc replay`: steps through a recorded journal with a real brain, and shows what it saw, what it
//! decided, and why.

use super::replay_words::{action_text, datasets_of, event_text, view_text};
use super::{Failure, Session, complain, say};
use anyhow::Context;
use clap::Args;
use hwc_api::ids::DatasetId;
use hwc_api::time::WallTime;
use hwc_journal::{Journal, JournalError, Replay, Step};
use hwc_state_machine::{Action, Command, DatasetStatus, Event};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What to show of which journal.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A file that `hwc record` wrote.
    file: PathBuf,
    /// Only steps about this dataset, by its number; “hwc explain SITE” tells those of a site.
    #[arg(long)]
    dataset: Option<u32>,
    /// Only steps in which something was decided, moved, opened or fenced.
    #[arg(long)]
    decisions: bool,
    /// Also show, after each step, how the brain sees the datasets that the step is about.
    #[arg(long)]
    view: bool,
    /// Begin with this step.
    #[arg(long, default_value_t = 1)]
    from: usize,
    /// Show at most so many steps.
    #[arg(long, default_value_t = usize::MAX, hide_default_value = true)]
    limit: usize,
}

#[derive(Serialize)]
struct ShownStep<'a> {
    number: usize,
    at_ms: u64,
    wall: WallTime,
    is_after_break: bool,
    event: &'a Event,
    actions: &'a [Action],
    /// With `--view`: the datasets that the step is about, as the brain then sees them; none where
    /// it has not heard of one yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    view: Option<BTreeMap<DatasetId, Option<DatasetStatus>>>,
}

pub fn run(session: &Session, arguments: Arguments) -> Result<(), Failure> {
    let bytes = std::fs::read(&arguments.file)
        .with_context(|| format!("read {}", arguments.file.display()))?;
    let (journal, cut) = match Journal::read(&bytes) {
        Ok(journal) => (journal, None),
        Err((journal, error)) => (journal, Some(error)),
    };
    let mut replay = Replay::new(&journal);
    let mut shown = 0;
    while let Some(step) = replay.step() {
        if shown >= arguments.limit {
            break;
        }
        if step.number < arguments.from || !is_wanted(&arguments, &step) {
            continue;
        }
        shown += 1;
        let view = arguments.view.then(|| view(&arguments, &step, &replay));
        if session.is_json {
            say(&json(&step, view)?);
        } else {
            say(&text(&step));
            for (dataset, status) in view.into_iter().flatten() {
                say(&view_text(dataset, status.as_ref()));
            }
        }
    }
    match cut {
        None => Ok(()),
        Some(error) => {
            let whole = whole_of(&journal, bytes.len(), &error);
            if !session.is_json {
                complain(&format!("hwc: {whole}."));
                return Err(Failure::Other(error.into()));
            }
            Err(Failure::Other(anyhow::Error::from(error).context(whole)))
        }
    }
}

/// How the brain sees the datasets that a step is about, after it.
fn view(
    arguments: &Arguments,
    step: &Step<'_>,
    replay: &Replay<'_>,
) -> BTreeMap<DatasetId, Option<DatasetStatus>> {
    let Some(brain) = replay.brain() else {
        return BTreeMap::new();
    };
    let wanted = arguments.dataset.map(DatasetId);
    let about = datasets_of(step).into_iter();
    about
        .filter(|one| wanted.is_none_or(|wanted| wanted == *one))
        .map(|dataset| (dataset, brain.status(dataset)))
        .collect()
}

/// How much of a journal is whole, and how much of it is refused.
fn whole_of(journal: &Journal, bytes: usize, error: &JournalError) -> String {
    let events: usize = journal.segments.iter().map(|s| s.entries.len()).sum();
    let refused = match error {
        JournalError::CutShort { at } | JournalError::Damaged { at, .. } => {
            format!("{} of {bytes} bytes", bytes.saturating_sub(*at))
        }
        JournalError::NoJournal | JournalError::OtherVersion { .. } if events == 0 => {
            "the whole file".to_owned()
        }
        JournalError::NoJournal | JournalError::OtherVersion { .. } => "the rest".to_owned(),
    };
    format!("{events} events of the journal are whole; refused: {refused}")
}

fn is_wanted(arguments: &Arguments, step: &Step<'_>) -> bool {
    let of_dataset = arguments.dataset.map(DatasetId).is_none_or(|wanted| {
        let is_event =
            matches!(&step.entry.event, Event::Dataset { dataset, .. } if *dataset == wanted);
        is_event || step.actions.iter().any(|action| action.dataset == wanted)
    });
    let decides = |action: &Action| {
        matches!(
            action.command,
            Command::Decided { .. }
                | Command::MoveChanged { .. }
                | Command::SetReplicas { .. }
                | Command::Open { .. }
                | Command::Fence { .. }
                | Command::CloseGate { .. }
                | Command::ReopenGate { .. }
        )
    };
    of_dataset && (!arguments.decisions || step.actions.iter().any(decides))
}

fn json(
    step: &Step<'_>,
    view: Option<BTreeMap<DatasetId, Option<DatasetStatus>>>,
) -> anyhow::Result<String> {
    let shown = ShownStep {
        number: step.number,
        at_ms: step.entry.at.0,
        wall: step.entry.wall,
        is_after_break: step.is_after_break,
        event: &step.entry.event,
        actions: &step.actions,
        view,
    };
    serde_json::to_string(&shown).context("write a step as JSON")
}

fn text(step: &Step<'_>) -> String {
    let mut lines = Vec::new();
    let is_start = matches!(step.entry.event, Event::Booted { .. });
    if is_start && step.number > 1 {
        lines.push("--- the daemon was started again ---".to_owned());
    } else if step.is_after_break {
        lines.push("--- events are missing before this step; it begins at a checkpoint ---".into());
    }
    let seconds = step.entry.at.0 / 1_000;
    let thousandths = step.entry.at.0 % 1_000;
    lines.push(format!(
        "#{} {seconds}.{thousandths:03} {}",
        step.number,
        event_text(&step.entry.event)
    ));
    lines.extend(step.actions.iter().map(action_text));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hwc_state_machine::Millis;

    #[test]
    fn what_is_refused_of_a_journal_is_counted() {
        let check = |error: JournalError, expected: &str| {
            assert_eq!(whole_of(&Journal::default(), 100, &error), expected);
        };
        check(
            JournalError::CutShort { at: 60 },
            "0 events of the journal are whole; refused: 40 of 100 bytes",
        );
        check(
            JournalError::OtherVersion { found: 9 },
            "0 events of the journal are whole; refused: the whole file",
        );
    }

    #[test]
    fn a_step_reads_as_what_was_seen_and_what_was_wanted() {
        let entry = hwc_journal::Entry {
            at: Millis(61_007),
            wall: WallTime(0),
            event: Event::Tick,
        };
        let action = Action {
            dataset: DatasetId(7),
            command: Command::DropCopy,
        };
        let step = Step {
            number: 3,
            entry: &entry,
            actions: vec![action],
            is_after_break: true,
        };
        let text = text(&step);
        assert!(text.starts_with("--- events are missing"), "{text}");
        assert!(text.contains("#3 61.007 Tick"), "{text}");
        assert!(text.ends_with("    dataset 7 <- DropCopy"), "{text}");
        let seen = BTreeMap::from([(DatasetId(7), None)]);
        let shown = json(&step, Some(seen)).expect("JSON");
        assert!(shown.ends_with(r#""view":{"7":null}}"#), "{shown}");
    }
}
