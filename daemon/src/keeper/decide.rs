//! What the keeper does about what happens; pure.

use super::words::Word;

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Somebody wants the daemon to stop.
    Told,
    /// The daemon said something.
    Said(Word),
    /// The daemon's process ended.
    Ended(Ending),
    /// It should have ended, and has not.
    Overdue,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with this code.
    Code(u8),
    /// By this signal.
    Signal(u8),
}

/// What systemd is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The daemon does its work.
    Ready,
    /// It is about to end.
    Stopping,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Ask the daemon to stop.
    Stop,
    /// End the daemon at once.
    Kill,
    /// Tell systemd.
    Tell(State),
    /// Put the socket that came along into the store.
    Keep(String),
    /// Take a socket out of the store.
    Forget(String),
    /// Say [`Event::Overdue`] if it has not ended by then.
    Limit,
    /// End, with this code.
    Leave(u8),
}

/// See the head of this file.
#[derive(Debug, Default)]
pub struct Watch {
    is_ending: bool,
}

impl Watch {
    /// What is to be done about this.
    pub fn step(&mut self, event: Event) -> Vec<Act> {
        match event {
            Event::Told => {
                let mut acts = vec![Act::Stop];
                acts.extend(self.begin_end());
                acts
            }
            Event::Said(Word::Ready) => vec![Act::Tell(State::Ready)],
            Event::Said(Word::Stopping) => {
                let mut acts = vec![Act::Tell(State::Stopping)];
                // It may have decided so itself.
                acts.extend(self.begin_end());
                acts
            }
            Event::Said(Word::Keep(name)) => vec![Act::Keep(name)],
            Event::Said(Word::Forget(name)) => vec![Act::Forget(name)],
            // Only visitors' connections are left: the next daemon can begin.
            Event::Said(Word::Ended) => vec![Act::Leave(0)],
            // systemd restarts whatever it is; the code is for people.
            Event::Ended(Ending::Code(code)) => vec![Act::Leave(code)],
            Event::Ended(Ending::Signal(signal)) => vec![Act::Leave(signal.saturating_add(128))],
            Event::Overdue => vec![Act::Kill],
        }
    }

    /// One limit for the whole end, whatever else happens meanwhile: systemd has one too.
    fn begin_end(&mut self) -> Option<Act> {
        let begins = !std::mem::replace(&mut self.is_ending, true);
        begins.then_some(Act::Limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is done about the last of these.
    fn after(events: &[Event]) -> Vec<Act> {
        let mut watch = Watch::default();
        let mut acts = Vec::new();
        for event in events {
            acts = watch.step(event.clone());
        }
        acts
    }

    #[test]
    fn systemd_hears_of_the_daemon_what_matters() {
        for (word, acts) in [
            (Word::Ready, vec![Act::Tell(State::Ready)]),
            (Word::Stopping, vec![Act::Tell(State::Stopping), Act::Limit]),
            (Word::Keep("http".into()), vec![Act::Keep("http".into())]),
            (
                Word::Forget("http".into()),
                vec![Act::Forget("http".into())],
            ),
        ] {
            assert_eq!(after(&[Event::Said(word)]), acts);
        }
    }

    #[test]
    fn whoever_is_told_to_stop_has_a_limit_and_is_killed_after_it() {
        assert_eq!(after(&[Event::Told]), [Act::Stop, Act::Limit]);
        assert_eq!(after(&[Event::Told, Event::Overdue]), [Act::Kill]);
        // Impatience is passed on, and nothing that happens begins the limit anew.
        assert_eq!(after(&[Event::Told, Event::Told]), [Act::Stop]);
        let stopping = Event::Said(Word::Stopping);
        assert_eq!(
            after(&[Event::Told, stopping]),
            [Act::Tell(State::Stopping)]
        );
    }

    #[test]
    fn the_keeper_leaves_when_visitors_alone_are_left() {
        let stopped = [
            Event::Told,
            Event::Said(Word::Stopping),
            Event::Said(Word::Ended),
        ];
        assert_eq!(after(&stopped), [Act::Leave(0)]);
    }

    #[test]
    fn a_crash_is_passed_on_as_one() {
        for (ending, code) in [
            (Ending::Code(0), 0),
            (Ending::Code(1), 1),
            (Ending::Signal(9), 137),
            (Ending::Signal(200), 255),
        ] {
            assert_eq!(after(&[Event::Ended(ending)]), [Act::Leave(code)]);
        }
    }
}
