//! The things in sight, kept fresh: what every page draws from.
//!
//! Filled from the page's data, then by the events of the cluster (`socket`, in the browser
//! only). An event carries its object whole, so applying one is replacing one entry.

mod connection;
mod in_sight;
#[cfg(feature = "hydrate")]
mod socket;

pub use connection::{Connection, reconnect_delay_ms};
pub use in_sight::InSight;

use crate::page_data::Frame;
use hwc_api::desired::Role;
use hwc_api::ids::{AccountId, DatasetId, JobId, MoveId, NodeId, SiteId};
use hwc_api::moves::{MoveProgress, MoveReceipt};
use hwc_api::v1::{
    AccountView, DatasetView, DrainView, Event, JobView, MoveView, NodeHealth, NodeView, SiteView,
};
use leptos::prelude::*;
use std::collections::BTreeMap;
use std::mem::discriminant;

/// Whether settings can be changed, and where they are in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Whether a majority of voters is in reach.
    pub is_writable: bool,
    /// Nodes that follow the newest change, of nodes in all; unknown to customers before the
    /// first event.
    pub applied: Option<(u32, u32)>,
}

/// Receipts that are kept in sight.
const RECEIPTS_MAX: usize = 200;

/// The things in sight. Copies are cheap and show the same.
#[derive(Debug, Clone, Copy)]
pub struct Live {
    /// Who is signed in.
    pub me: RwSignal<AccountView>,
    /// Sites, by id.
    pub sites: RwSignal<BTreeMap<SiteId, SiteView>>,
    /// Jobs that began while looking, and the newest of each site.
    pub jobs: RwSignal<BTreeMap<JobId, JobView>>,
    /// Nodes, by id.
    pub nodes: RwSignal<BTreeMap<NodeId, NodeView>>,
    /// Moves that are planned or under way, by dataset.
    pub moves: RwSignal<BTreeMap<DatasetId, MoveView<MoveProgress>>>,
    /// The newest receipts of moves, by number.
    pub receipts: RwSignal<BTreeMap<MoveId, MoveView<MoveReceipt>>>,
    /// Nodes that are being emptied, for administrators.
    pub drains: RwSignal<BTreeMap<NodeId, DrainView>>,
    /// Accounts, for administrators.
    pub accounts: RwSignal<BTreeMap<AccountId, AccountView>>,
    /// The state of the settings.
    pub settings: RwSignal<Settings>,
    /// Whether events arrive.
    pub connection: RwSignal<Connection>,
}

impl Live {
    /// The things that a page came with.
    #[must_use]
    pub fn new(frame: &Frame) -> Self {
        let live = Self {
            me: RwSignal::new(frame.account.clone()),
            sites: RwSignal::default(),
            jobs: RwSignal::default(),
            nodes: RwSignal::default(),
            moves: RwSignal::default(),
            receipts: RwSignal::default(),
            drains: RwSignal::default(),
            accounts: RwSignal::default(),
            settings: RwSignal::new(Settings {
                is_writable: frame.status.is_writable,
                applied: None,
            }),
            connection: RwSignal::new(Connection::Starting),
        };
        live.replace_all(frame);
        live
    }

    /// Takes over a whole frame: what is no longer in it is gone.
    pub fn replace_all(&self, frame: &Frame) {
        let status = &frame.status;
        set_if_changed(self.me, frame.account.clone());
        set_if_changed(self.sites, by_key(&status.sites, |site| site.id));
        set_if_changed(self.nodes, by_key(&status.nodes, |node| node.node.id));
        set_if_changed(self.accounts, by_key(&frame.accounts, |account| account.id));
        let of_sites = status.sites.iter().flat_map(|site| &site.jobs);
        self.jobs.update(|jobs| {
            for job in frame.jobs.iter().chain(of_sites) {
                jobs.insert(job.job.id, job.clone());
            }
        });
        set_if_changed(self.drains, by_key(&frame.drains, |drain| drain.node.id));
        self.replace_moves(frame);
        let applied = applied_nodes(&status.nodes, status.index);
        set_if_changed(
            self.settings,
            Settings {
                is_writable: status.is_writable,
                applied: applied.or_else(|| self.settings.with_untracked(|known| known.applied)),
            },
        );
    }

    /// Takes over moves. Where a frame does not list them, its sites tell which go on.
    fn replace_moves(&self, frame: &Frame) {
        let Some(listed) = &frame.moves else {
            let moving = |dataset: DatasetId| {
                let datasets = frame.status.sites.iter().flat_map(site_datasets);
                datasets
                    .filter(|view| view.moving.is_some())
                    .any(|view| view.id == dataset)
            };
            self.moves
                .update(|moves| moves.retain(|dataset, _| moving(*dataset)));
            return;
        };
        set_if_changed(
            self.moves,
            by_key(&listed.under_way, |view| view.of.dataset),
        );
        self.receipts.update(|receipts| {
            let newest = listed.ended.iter().take(RECEIPTS_MAX);
            receipts.extend(newest.map(|view| (view.of.id, view.clone())));
        });
    }

    /// Applies one event. Answers whether the session goes on.
    pub fn apply(&self, event: Event) -> bool {
        match event {
            Event::Site(site) => self.put_site(*site),
            Event::SiteGone(id) => self.sites.update(|sites| {
                sites.remove(&id);
            }),
            Event::Job(job) => self.put_job(*job),
            Event::Node(node) => self.nodes.update(|nodes| {
                nodes.insert(node.node.id, *node);
            }),
            Event::Move(view) => self.moves.update(|moves| {
                moves.insert(view.of.dataset, *view);
            }),
            Event::MoveGone(dataset) => self.moves.update(|moves| {
                moves.remove(&dataset);
            }),
            Event::MoveEnded(view) => self.receipts.update(|receipts| {
                receipts.insert(view.of.id, *view);
                while receipts.len() > RECEIPTS_MAX {
                    receipts.pop_first();
                }
            }),
            Event::Drain(view) => self.drains.update(|drains| {
                drains.insert(view.node.id, *view);
            }),
            Event::DrainGone(node) => self.drains.update(|drains| {
                drains.remove(&node);
            }),
            Event::Account(account) => self.put_account(*account),
            Event::AccountGone(id) => self.accounts.update(|accounts| {
                accounts.remove(&id);
            }),
            Event::Settings {
                is_writable,
                index: _,
                nodes_applied,
                nodes,
            } => set_if_changed(
                self.settings,
                Settings {
                    is_writable,
                    applied: Some((nodes_applied, nodes)),
                },
            ),
            // What was told before it is known to whoever heard it ([`InSight`]).
            Event::Whole => {}
            Event::SignedOut => return false,
        }
        true
    }

    /// Forgets what the cluster did not tell of when it told everything: it was gone before anybody
    /// listened.
    pub fn keep_only(&self, told: &InSight) {
        retain(self.sites, |id| told.sites.contains(id));
        retain(self.moves, |id| told.moves.contains(id));
        retain(self.drains, |id| told.drains.contains(id));
        retain(self.accounts, |id| told.accounts.contains(id));
    }

    /// Takes over a site, and its newest jobs.
    pub fn put_site(&self, site: SiteView) {
        if !site.jobs.is_empty() {
            self.jobs.update(|jobs| {
                jobs.extend(site.jobs.iter().map(|job| (job.job.id, job.clone())));
            });
        }
        self.sites.update(|sites| {
            sites.insert(site.id, site);
        });
    }

    /// Takes over a job, also where its site shows it.
    pub fn put_job(&self, job: JobView) {
        let site = job_site(&job);
        self.sites.update(|sites| {
            if let Some(site) = sites.get_mut(&site) {
                put_newest(&mut site.jobs, &job);
            }
        });
        self.jobs.update(|jobs| {
            jobs.insert(job.job.id, job);
        });
    }

    /// Takes over an account.
    pub fn put_account(&self, account: AccountView) {
        if self.me.with_untracked(|me| me.id == account.id) {
            set_if_changed(self.me, account.clone());
        }
        if self.is_administrator() {
            self.accounts.update(|accounts| {
                accounts.insert(account.id, account);
            });
        }
    }

    /// One site, as it stands at any time; none when there is no such site in sight.
    #[must_use]
    pub fn site(&self, id: Option<SiteId>) -> Memo<Option<SiteView>> {
        let sites = self.sites;
        Memo::new(move |_| id.and_then(|id| sites.with(|sites| sites.get(&id).cloned())))
    }

    /// What an account is called, where it is in sight.
    #[must_use]
    pub fn account_name(&self, id: AccountId) -> Option<String> {
        self.accounts
            .with(|accounts| accounts.get(&id).map(|account| account.name.clone()))
    }

    /// What a node is called; its number where it is not in sight.
    #[must_use]
    pub fn node_name(&self, id: NodeId) -> String {
        self.nodes
            .with(|nodes| nodes.get(&id).map(|node| node.node.name.to_string()))
            .unwrap_or_else(|| id.to_string())
    }

    /// Whether an administrator is signed in. Decides what is shown only; what is allowed is the
    /// API's to decide.
    #[must_use]
    pub fn is_administrator(&self) -> bool {
        self.me.with_untracked(|me| me.role == Role::Administrator)
    }
}

/// The datasets of a site, the files first.
pub fn site_datasets(site: &SiteView) -> impl Iterator<Item = &DatasetView> {
    let databases = site.databases.iter().map(|database| &database.dataset);
    std::iter::once(&site.files).chain(databases)
}

/// Takes a job over among the newest of each kind, unless a newer one of its kind is known.
fn put_newest(jobs: &mut Vec<JobView>, job: &JobView) {
    let is_other = |known: &JobView| discriminant(&known.job.kind) != discriminant(&job.job.kind);
    if jobs
        .iter()
        .any(|known| !is_other(known) && known.job.id > job.job.id)
    {
        return;
    }
    jobs.retain(is_other);
    jobs.push(job.clone());
    jobs.sort_by_key(|job| std::cmp::Reverse(job.job.id));
}

/// The site that a job works on.
#[must_use]
pub const fn job_site(job: &JobView) -> SiteId {
    match &job.job.kind {
        hwc_api::job::JobKind::InstallApp { site, .. }
        | hwc_api::job::JobKind::MoveSite { site, .. } => *site,
    }
}

/// The live things of the page that is drawn here.
///
/// # Panics
/// Outside of the frame of a signed-in visitor: the router draws no such page without it.
#[must_use]
pub fn use_live() -> Live {
    expect_context::<Live>()
}

/// How many nodes follow the newest change, as far as their reports tell.
fn applied_nodes(nodes: &[NodeView], index: u64) -> Option<(u32, u32)> {
    let follows = |node: &&NodeView| {
        node.health == NodeHealth::Up
            && node
                .observed
                .as_ref()
                .is_some_and(|report| report.applied_index >= index)
    };
    if nodes.iter().all(|node| node.observed.is_none()) {
        return None;
    }
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Some((
        count(nodes.iter().filter(follows).count()),
        count(nodes.len()),
    ))
}

fn by_key<K: Ord, V: Clone>(values: &[V], key: impl Fn(&V) -> K) -> BTreeMap<K, V> {
    values
        .iter()
        .map(|value| (key(value), value.clone()))
        .collect()
}

fn retain<K: Ord + Send + Sync + 'static, V: Send + Sync + 'static>(
    signal: RwSignal<BTreeMap<K, V>>,
    is_kept: impl Fn(&K) -> bool,
) {
    if signal.with_untracked(|known| !known.keys().all(&is_kept)) {
        signal.update(|known| known.retain(|id, _| is_kept(id)));
    }
}

fn set_if_changed<T: PartialEq + Send + Sync + 'static>(signal: RwSignal<T>, value: T) {
    if signal.with_untracked(|known| *known != value) {
        signal.set(value);
    }
}

/// Keeps the things in sight fresh for as long as the page lives. Does nothing on the server.
pub fn keep_fresh(live: Live) {
    #[cfg(feature = "hydrate")]
    Effect::new(move |_| socket::open(live));
    #[cfg(not(feature = "hydrate"))]
    let _on_the_server_a_page_is_drawn_once = live;
}
