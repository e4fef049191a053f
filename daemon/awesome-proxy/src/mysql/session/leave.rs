//! Leaving a server whose gate has closed: when, and with what.
//!
//! A session that is idle and in no transaction leaves at once; one in a transaction when that ends;
//! one that holds what nobody can carry stays. A moment before those inside are cut the rest leaves
//! too: what it can't take along is lost then, and the client hears of it.

use super::{Place, Session};
use crate::mysql::carry::{Bound, Captured, capture};
use crate::mysql::command::Command;
use crate::mysql::notice::Ending;
use crate::mysql::reach::{Server, within};
use crate::mysql::statement::Traits;
use crate::mysql::{answer::status, own::Unanswered};
use hwc_runtime::clock::Moment;
use std::time::Duration;

/// How long before the cut the last ones leave: some statements of ours on a busy server.
const MARGIN: Duration = Duration::from_millis(250);
/// A server that is asked for a session's state must answer within this.
const CAPTURE_MAX: Duration = Duration::from_secs(1);
/// A session that could not leave is not asked again before this.
const RETRY: Duration = Duration::from_millis(50);

/// What is known of why a session may have to stay where it is.
#[derive(Debug, Default)]
pub(super) struct Stay {
    /// Whether a transaction is open; none where an error leaves that to be asked.
    transaction: Option<bool>,
    /// The last statement was about the next transaction.
    prepares_transaction: bool,
    /// It may hold locks by name.
    may_hold: bool,
    /// Its counters were reset: the server can't tell what it holds.
    is_uncountable: bool,
    /// It holds what it can't take along.
    held: Option<&'static str>,
    /// It was asked in vain, and has run nothing since.
    is_settled: bool,
    retry_at: Moment,
    /// The moment at which the last ones leave, for a cut at such a time.
    last_moment: Option<(Moment, Moment)>,
}

impl Stay {
    /// The session is at another server, with nothing that it could not carry.
    pub fn arrive(&mut self) {
        *self = Self {
            transaction: Some(false),
            ..Self::default()
        };
    }

    /// A command has run.
    pub fn note_command(&mut self, command: Command, traits: Traits) {
        self.is_settled = false;
        if command.is_statement() {
            self.prepares_transaction = traits.prepares_transaction;
            self.may_hold |= traits.may_hold;
            self.is_uncountable |= traits.resets_counters;
        }
    }

    /// An answer told the server's status, or was an error.
    pub fn note_status(&mut self, status: Option<u16>, is_error: bool) {
        match status {
            Some(status) => self.transaction = Some(status & status::IN_TRANSACTION != 0),
            None if is_error => self.transaction = None,
            None => {}
        }
    }

    /// When to look again, while the gate is closed.
    pub fn wake_at(&self, ending: Ending) -> Option<Moment> {
        let last = self.last_moment.map(|(_, at)| at);
        let last = last.filter(|_| ending.cut_at.is_some());
        let retry = (!self.is_settled && self.may_be_asked()).then_some(self.retry_at);
        if !ending.is_closing {
            return None;
        }
        match (last, retry) {
            (Some(last), Some(retry)) => Some(last.min(retry)),
            (last, retry) => last.or(retry),
        }
    }

    /// Whether the moment has come at which the last ones leave.
    fn is_last_moment(&mut self, ending: Ending, now: Moment) -> bool {
        let Some(cut_at) = ending.cut_at else {
            return false;
        };
        let known = self.last_moment.filter(|(cut, _)| *cut == cut_at);
        let (_, at) = known.unwrap_or_else(|| {
            let left = cut_at.since(now);
            // A short time is not all for leaving.
            let margin = MARGIN.min(left / 4);
            (cut_at, now.plus(left.saturating_sub(margin)))
        });
        self.last_moment = Some((cut_at, at));
        now >= at
    }

    /// Whether it is of use to ask the server.
    fn may_be_asked(&self) -> bool {
        self.transaction != Some(true)
            && !self.prepares_transaction
            && !self.may_hold
            && !self.is_uncountable
            && self.held.is_none()
    }
}

/// What became of a try to leave.
pub(super) enum Departure {
    /// The session stays for now.
    Not,
    /// It is elsewhere.
    Place(Place),
}

impl Session {
    /// Leaves the server, if that can be.
    pub(super) async fn try_to_leave(&mut self, server: &mut Server, ending: Ending) -> Departure {
        let now = self.shared.clock.now();
        let is_last = self.stay.is_last_moment(ending, now);
        let is_time = !self.stay.is_settled && now >= self.stay.retry_at;
        let may_try = is_last || is_time && self.stay.may_be_asked();
        if !may_try {
            return Departure::Not;
        }
        self.stay.is_settled = true;
        self.stay.retry_at = now.plus(RETRY);
        let left = tokio::select! {
            biased;
            () = &mut server.stop => Err(Bound::Held("its server")),
            left = self.leave(&mut server.packets, is_last) => left,
        };
        match left {
            Ok(place) => Departure::Place(place),
            Err(why) => {
                tracing::debug!(database = %self.entry.database, %why, is_last, "a session stays");
                if let Bound::Held(what) = why {
                    self.stay.held = Some(what);
                }
                if !is_last {
                    return Departure::Not;
                }
                self.door.note_failed();
                Departure::Place(Place::Lost)
            }
        }
    }

    async fn leave(
        &mut self,
        server: &mut crate::mysql::packet::Packets,
        is_last: bool,
    ) -> Result<Place, Bound> {
        if self.secret.is_none() {
            return Err(Bound::Held("the way to log in"));
        }
        if self.stay.is_uncountable {
            return Err(Bound::Held("reset counters"));
        }
        if !self.statements.is_carriable() {
            return Err(Bound::Statement);
        }
        let deprecates_eof = self.login.dialect().deprecates_eof;
        let captured = within(CAPTURE_MAX, capture(server, deprecates_eof, is_last)).await;
        let carried = match captured {
            Ok(Captured::Free(carried)) => carried,
            Ok(Captured::Bound(why, look_back)) => {
                self.look_back = look_back.or_else(|| self.look_back.take());
                return Err(why);
            }
            Err(error) => {
                let what = match error {
                    // Half an answer may be on its way: the server can't be used any more.
                    Unanswered::Broken(_) => "a server that does not answer",
                    Unanswered::Refused(_) => "a server that does not tell",
                };
                tracing::debug!(%error, "a session's state was not told");
                return Err(Bound::Held(what));
            }
        };
        // The server would notice the end of the stream as well, and count it as an accident.
        let _gone = within(CAPTURE_MAX, server.write(0, &[1])).await;
        self.statements.leave();
        if carried.loses_transaction || self.stay.prepares_transaction {
            self.owes_loss = true;
            self.door.note_failed();
        }
        Ok(Place::Between(carried))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn closing(cut_at: Option<Moment>) -> Ending {
        Ending {
            is_closing: true,
            cut_at,
        }
    }

    #[test]
    fn the_last_moment_is_a_margin_before_the_cut() {
        let mut stay = Stay::default();
        assert!(!stay.is_last_moment(closing(None), Moment(5)));
        let ending = closing(Some(Moment(3_000)));
        assert!(!stay.is_last_moment(ending, Moment(0)));
        assert!(!stay.is_last_moment(ending, Moment(2_749)));
        assert!(stay.is_last_moment(ending, Moment(2_750)));
        // A short time is known from its beginning.
        let ending = closing(Some(Moment(4_100)));
        assert!(!stay.is_last_moment(ending, Moment(4_000)));
        assert!(stay.is_last_moment(ending, Moment(4_075)));
    }

    #[test]
    fn a_session_is_asked_when_it_may_have_become_free() {
        let mut stay = Stay::default();
        assert!(stay.may_be_asked());
        let ok = status::IN_TRANSACTION;
        for (status, is_error, expected) in [
            (Some(ok), false, false),
            (None, false, false),
            // A deadlock rolls the transaction back; other errors don't.
            (None, true, true),
            (Some(2), false, true),
        ] {
            stay.note_status(status, is_error);
            assert_eq!(stay.may_be_asked(), expected);
        }
        let next = Traits {
            prepares_transaction: true,
            ..Traits::default()
        };
        stay.note_command(Command::Query, next);
        assert!(!stay.may_be_asked());
        stay.note_command(Command::Query, Traits::default());
        assert!(stay.may_be_asked());
        let holding = Traits {
            may_hold: true,
            ..Traits::default()
        };
        stay.note_command(Command::Query, holding);
        stay.note_command(Command::Query, Traits::default());
        assert!(!stay.may_be_asked());
        stay.arrive();
        assert!(stay.may_be_asked());
    }

    #[test]
    fn it_wakes_for_the_last_moment_and_for_another_try() {
        let mut stay = Stay::default();
        assert_eq!(stay.wake_at(Ending::default()), None);
        let ending = closing(Some(Moment(4_000)));
        stay.is_last_moment(ending, Moment(0));
        stay.retry_at = Moment(50);
        assert_eq!(stay.wake_at(ending), Some(Moment(50)));
        stay.is_settled = true;
        assert_eq!(stay.wake_at(ending), Some(Moment(3_750)));
        assert_eq!(stay.wake_at(closing(None)), None);
    }
}
