//! The whole room, started in the right order.
//!
//! The conductor loads an identity, counts the start, starts the group with the roster that it knows
//! (from its registry, or from the answer to its join), and tells every later roster.

use crate::board::{Board, BoardSettings, Skipped};
use crate::calls::Calls;
use crate::datagram::Refusal;
use crate::identity::{Me, NodeIdentity, Start};
use crate::join::{self, JoinGrant, JoinRequest};
use crate::keys::{KeySettings, Keys};
use crate::membership::{Membership, MembershipSettings};
use crate::profile::Profile;
use crate::roster::{Roster, SharedRoster};
use crate::sealing::Sealing;
use crate::transport::{BindError, StreamRefusal, Transport};
use hwc_api::problem::Problem;
use hwc_runtime::clock::Clock;
use hwc_runtime::dial::{Dial, Service};
use hwc_runtime::lifecycle::Tasks;
use serde::Serialize;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// What a group needs to begin.
#[derive(Debug, Clone)]
pub struct GroupSettings {
    /// Where to listen, for streams and datagrams; normally [`crate::DEFAULT_PORT`].
    pub listen: SocketAddr,
    /// Who we are.
    pub identity: NodeIdentity,
    /// Which life of the daemon this is.
    pub start: Start,
    /// The nodes that are known so far.
    pub roster: Roster,
}

/// What a group can be told beyond that; the default fits a LAN and keeps nothing on disk.
#[derive(Debug, Clone, Default)]
pub struct GroupTuning {
    /// How patient it is: the same on all nodes of a cluster.
    pub profile: Profile,
    /// Where the identity is kept: replaced keys of sealed datagrams are written there. Without it a
    /// restarted node learns them from the first node that it meets.
    pub identity_folder: Option<PathBuf>,
}

/// What was refused since the start, by reason. None of it changed anything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Refusals {
    /// Datagrams.
    pub datagrams: BTreeMap<Refusal, u64>,
    /// Connections.
    pub streams: BTreeMap<StreamRefusal, u64>,
    /// What other nodes showed on their boards.
    pub boards: BTreeMap<Skipped, u64>,
}

/// This node's part in the group. Clones are the same part. It ends with the tasks that it was
/// started on; then it says good-bye to the others.
#[derive(Debug, Clone)]
pub struct Group {
    /// Streams to and from other nodes.
    pub transport: Transport,
    /// Who is up.
    pub membership: Membership,
    /// What each node shows.
    pub board: Board,
    /// Questions and answers.
    pub calls: Calls,
    /// The keys of sealed datagrams.
    pub keys: Keys,
    clock: Clock,
    tasks: Tasks,
}

impl Group {
    /// Opens the ports and begins to talk.
    ///
    /// # Errors
    /// When a port is taken, the address is not ours, or the identity is not usable.
    pub async fn start(
        settings: GroupSettings,
        tasks: &Tasks,
        clock: &Clock,
    ) -> Result<Self, BindError> {
        Self::start_tuned(settings, GroupTuning::default(), tasks, clock).await
    }

    /// Opens the ports and begins to talk, tuned.
    ///
    /// # Errors
    /// When a port is taken, the address is not ours, or the identity is not usable.
    pub async fn start_tuned(
        settings: GroupSettings,
        tuning: GroupTuning,
        tasks: &Tasks,
        clock: &Clock,
    ) -> Result<Self, BindError> {
        let GroupSettings {
            listen,
            identity,
            start,
            roster,
        } = settings;
        let roster = SharedRoster::new(roster);
        let timing = tuning.profile.timing();
        let streams = timing.streams;
        let transport =
            Transport::bind(listen, &identity, roster.clone(), streams, tasks, clock).await?;
        // The same port, also where the system chose it.
        let listen = transport.address();
        let me = Me {
            node: identity.node(),
            start,
        };
        let keys = &identity.authority().secrets.gossip;
        let sealing = Sealing::new(identity.cluster(), keys, me.node, start)
            .map_err(|error| BindError::new(listen, io::Error::other(error)))?;
        let membership = Membership::start(
            MembershipSettings {
                address: listen,
                me,
                timing: timing.membership,
                roster: roster.clone(),
                sealing: sealing.clone(),
                clock: clock.clone(),
            },
            tasks,
        )
        .await?;
        let board = Board::start(
            BoardSettings {
                me,
                timing: timing.board,
                roster: roster.clone(),
                dial: Arc::new(transport.clone()),
                incoming: transport.incoming(Service::Board),
                signs: membership.signs(),
                clock: clock.clone(),
            },
            tasks,
        );
        let calls = Calls::start(&transport, tasks);
        let keys = Keys::start(
            KeySettings {
                identity,
                folder: tuning.identity_folder,
                overlap: timing.key_overlap,
                sealing,
                roster,
                membership: membership.clone(),
                board: board.clone(),
                calls: calls.clone(),
                clock: clock.clone(),
            },
            tasks,
        );
        Ok(Self {
            transport,
            membership,
            board,
            calls,
            keys,
            clock: clock.clone(),
            tasks: tasks.clone(),
        })
    }

    /// Replaces the roster: everything in the room follows at once.
    pub fn set_roster(&self, roster: Roster) {
        self.transport.set_roster(roster);
    }

    /// For the rooms that reach their counterparts on other nodes.
    #[must_use]
    pub fn dial(&self) -> Arc<dyn Dial> {
        Arc::new(self.transport.clone())
    }

    /// Admits newcomers from now on, as far as `judge` lets them in.
    pub fn admit_newcomers<J, F>(&self, judge: J)
    where
        J: Fn(JoinRequest) -> F + Send + Sync + 'static,
        F: Future<Output = Result<JoinGrant, Problem>> + Send + 'static,
    {
        join::serve(&self.transport, &self.keys, &self.clock, &self.tasks, judge);
    }

    /// What was refused since the start, by reason.
    #[must_use]
    pub fn refusals(&self) -> Refusals {
        Refusals {
            datagrams: self.membership.refusals(),
            streams: self.transport.refusals(),
            boards: self.board.counts().skipped,
        }
    }
}
