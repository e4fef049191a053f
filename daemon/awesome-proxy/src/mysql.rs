//! The MySQL front door: sessions of this machine's programs, each to the live node of its database.
//!
//! A session belongs to its client's own door and outlives its server: when its database moves, an
//! idle session leaves the old server with its state and goes on at the new one; a transaction may
//! end first, within a limit; what can't be carried ends with an error. No statement that may have
//! reached a server is ever sent again.
//!
//! # What becomes of whom when a database is cleared for a move
//!
//! | who | fate |
//! | --- | --- |
//! | a new session, at any node | waits before its login, then goes to the new live node; 1040 when its time is over or there is no room |
//! | an idle session outside a transaction | leaves with its variables (also the user's own), schema, and prepared statements; its next command waits for the new live node |
//! | what the last statement left behind | `LAST_INSERT_ID()` and `FOUND_ROWS()` go along; a next statement that asks for warnings or `ROW_COUNT()` gets 1053 instead of a wrong answer |
//! | a running statement | ends, and its session leaves; cut, 1053 where whole packets were passed on, else the connection breaks; nobody sends it again |
//! | a transaction | ends, and its session leaves; at the limit it is rolled back, its next statement gets 1053, and the session goes on |
//! | temporary tables, locks, handlers, statements prepared by name, open cursors | the session stays until the limit; then its next command gets 1053 and it ends |
//! | a session whose password we do not know (it was changed just now) | the same |
//!
//! The limit is that of `AwesomeProxy::clear`; the last ones leave a moment before it. A fence without
//! a move ends all sessions at once, without a word; so does the limit where there was no time to leave
//! before it, on a machine that is much too busy. What no server tells and no text shows is not carried:
//! the `LASTVAL()` of a sequence. `lab/tests/moves.rs` shows on real nodes what becomes of those who
//! end in time.
//!
//! # Where what is
//!
//! - [`login`]: greet, learn the user, find its database, log in there; [`handshake`] and
//!   [`native_password`] are its packets and its proof.
//! - [`reach`]: the way to the live node's server; [`peer`] and [`pipe`]: through another node.
//! - [`session`]: commands one at a time; [`command`], [`answer`], [`statement`], [`prepared`]: what
//!   is known of them, pure.
//! - [`carry`]: a session's state, asked of one server and told to the next; [`own`]: how.
//! - [`notice`]: how a session learns that its gate closes; [`tally`]: counts for load figures.

mod answer;
mod carry;
mod command;
mod error;
mod handshake;
mod login;
mod native_password;
mod notice;
mod own;
mod packet;
pub(crate) mod peer;
mod pipe;
mod prepared;
mod reach;
mod session;
mod statement;
mod tally;
mod wire;

use crate::listener::{accept, accept_unix};
use crate::shared::Shared;
use hwc_runtime::dial::PeerStream;
use std::sync::Arc;
use tokio::net::{TcpListener, UnixListener};

/// Serves the TCP port until the daemon stops.
pub(crate) fn serve_tcp(shared: &Arc<Shared>, listener: TcpListener) {
    let serving = Arc::clone(shared);
    shared
        .tasks
        .spawn_until_stopped("front door mysql tcp", async move {
            serving.admission.wait().await;
            loop {
                let (stream, _local) = accept(&listener).await;
                begin(&serving, Box::new(stream));
            }
        });
}

/// Serves the socket until the daemon stops.
pub(crate) fn serve_socket(shared: &Arc<Shared>, listener: UnixListener) {
    let serving = Arc::clone(shared);
    shared
        .tasks
        .spawn_until_stopped("front door mysql socket", async move {
            serving.admission.wait().await;
            loop {
                let stream = accept_unix(&listener).await;
                begin(&serving, Box::new(stream));
            }
        });
}

fn begin(shared: &Arc<Shared>, stream: PeerStream) {
    let place = Arc::clone(&shared.mysql_sessions).try_acquire_owned().ok();
    let serving = Arc::clone(shared);
    shared.tasks.spawn("mysql session", async move {
        match place {
            Some(_place) => session::serve(serving, stream).await,
            None => session::refuse_for_number(stream).await,
        }
    });
}
