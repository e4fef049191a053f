//! Moving a site because somebody asked, calling it off, and why it is where it is: what the API
//! asks of the brains, wherever they are.
//!
//! Only the brain of the node that serves a dataset moves it. The node that was asked finds that
//! node, which notes the job in the registry, tells its brain, and follows the move to its end.

pub mod left_over;

use crate::api::Now;
use crate::conductor::input::{Input, Inputs, OwnFact};
use crate::picture::Picture;
use hwc_api::change::{Applied, Change};
use hwc_api::desired::{Desired, Site};
use hwc_api::explanation::{DatasetExplanation, Explanation, Unfit};
use hwc_api::ids::{AccountId, DatasetId, JobId, NodeId, SiteId};
use hwc_api::job::{JobKind, JobOutcome, JobProgress, JobStep, StepState};
use hwc_api::moves::{MovePhase, MoveProgress, MoveReason};
use hwc_api::problem::{Problem, ProblemCode};
use hwc_group::Group;
use hwc_group::calls::CallError;
use hwc_registry::Registry;
use hwc_runtime::clock::{Clock, Moment};
use hwc_runtime::lifecycle::Tasks;
use hwc_state_machine::{DatasetEvent, Refused};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// The name of the call by which the node that was asked asks the node that serves.
pub const MOVE_CALL: &str = "move";

/// How long the other node may take to answer, beside what it may have to write to the registry.
const CALL_LIMIT: Duration = Duration::from_secs(2);
/// How long the brain may take to answer: it is never busy for long.
const BRAIN_LIMIT: Duration = Duration::from_secs(5);
/// Between two looks at a move that a job follows.
const LOOK: Duration = Duration::from_millis(200);
/// A job is given up when nothing of its site has moved for so long: the moves' own limits are
/// shorter.
const JOB_LIMIT: Duration = Duration::from_secs(6 * 3_600);
/// The brain shows a move within this, or it was over before anyone looked.
const BEGIN_LIMIT: Duration = Duration::from_secs(5);
/// After the move ended, the new route is known here within this.
const ROUTE_LIMIT: Duration = Duration::from_secs(10);

/// Asks the brains.
#[derive(Clone)]
pub struct Moves {
    /// This node.
    pub me: NodeId,
    /// The settings.
    pub registry: Registry,
    /// The newest settings.
    pub desired: watch::Receiver<Arc<Desired>>,
    /// The newest picture.
    pub picture: watch::Receiver<Arc<Picture>>,
    /// The other nodes.
    pub group: Group,
    /// Where this node's brain is asked.
    pub inputs: Inputs,
    /// Time.
    pub clock: Clock,
    /// Tasks.
    pub tasks: Tasks,
}

impl std::fmt::Debug for Moves {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Moves")
            .field("me", &self.me)
            .finish_non_exhaustive()
    }
}

/// What is asked of the node that serves.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Question {
    /// Note the job, move what of the site is live there, follow it.
    Begin {
        site: SiteId,
        to: NodeId,
        by: AccountId,
    },
    /// Move these too; another node follows.
    Join {
        datasets: Vec<DatasetId>,
        to: NodeId,
        by: AccountId,
    },
    /// Call off the moves of these.
    CallOff { datasets: Vec<DatasetId> },
    /// Why they are where they are.
    Explain { datasets: Vec<DatasetId> },
}

impl Moves {
    /// Begins to move a site with its databases; to the fittest node if none is named.
    ///
    /// # Errors
    /// When the node is not fit, the site is not served or busy, or is there already.
    pub async fn begin(
        &self,
        now: &Now,
        site: &Site,
        to: Option<NodeId>,
        by: AccountId,
    ) -> Result<JobId, Problem> {
        let leader_of_job = self.first_elsewhere(now, site, to)?;
        let to = match to {
            Some(to) => to,
            None => self.fittest(now, site).await?,
        };
        let begin = Question::Begin {
            site: site.id,
            to,
            by,
        };
        self.ask(leader_of_job, &begin).await
    }

    /// Calls off the moves of a site, planned ones too.
    ///
    /// # Errors
    /// When nothing of it moves.
    pub async fn call_off(&self, now: &Now, site: &Site) -> Result<(), Problem> {
        let mut is_moving = false;
        for (node, datasets) in self.by_live_node(now, site) {
            let moving = |dataset: &DatasetId| now.picture.moving(*dataset).is_some();
            let datasets: Vec<_> = datasets.into_iter().filter(moving).collect();
            if !datasets.is_empty() {
                is_moving = true;
                self.ask::<()>(node, &Question::CallOff { datasets })
                    .await?;
            }
        }
        if is_moving {
            return Ok(());
        }
        Err(Problem::new(
            ProblemCode::Conflict,
            "No move of this site is planned or under way.",
        ))
    }

    /// Why a site is where it is, dataset by dataset, the files first.
    ///
    /// # Errors
    /// When a node that knows does not answer.
    pub async fn explain(&self, now: &Now, site: &Site) -> Result<Explanation, Problem> {
        let mut asked: BTreeMap<NodeId, Vec<DatasetId>> = BTreeMap::new();
        for dataset in datasets_of(&now.desired, site) {
            let live = now.picture.live_node(dataset).map(|live| live.node);
            asked
                .entry(live.unwrap_or(self.me))
                .or_default()
                .push(dataset);
        }
        let mut explained: Vec<DatasetExplanation> = Vec::new();
        for (node, datasets) in asked {
            let answer: Vec<_> = self.ask(node, &Question::Explain { datasets }).await?;
            explained.extend(answer);
        }
        explained.sort_by_key(|one| (one.dataset != site.dataset, one.dataset));
        Ok(Explanation {
            site: site.id,
            datasets: explained,
        })
    }

    /// The node that is to follow the move: the live node of the first dataset that is not there.
    fn first_elsewhere(
        &self,
        now: &Now,
        site: &Site,
        to: Option<NodeId>,
    ) -> Result<NodeId, Problem> {
        let mut first = None;
        for dataset in datasets_of(&now.desired, site) {
            let live = now.picture.live_node(dataset).map(|live| live.node);
            let live = live.ok_or_else(not_live)?;
            if first.is_none() && Some(live) != to {
                first = Some(live);
            }
        }
        first.ok_or_else(|| {
            Problem::new(
                ProblemCode::AlreadyThere,
                "The site is live on that node already.",
            )
            .field("node")
        })
    }

    /// The best node for a site's files, by the brain that serves them.
    async fn fittest(&self, now: &Now, site: &Site) -> Result<NodeId, Problem> {
        let explained = self.explain(now, site).await?;
        let files = explained.datasets.into_iter().next();
        let mut candidates = files.into_iter().flat_map(|files| files.candidates);
        candidates
            .find(|candidate| candidate.unfit.is_none() && candidate.score.is_some())
            .map(|candidate| candidate.node)
            .ok_or_else(|| {
                Problem::new(
                    ProblemCode::NoNode,
                    "No other node can take the site just now; hwc explain says why.",
                )
            })
    }

    fn by_live_node(&self, now: &Now, site: &Site) -> BTreeMap<NodeId, Vec<DatasetId>> {
        let mut nodes: BTreeMap<NodeId, Vec<DatasetId>> = BTreeMap::new();
        for dataset in datasets_of(&now.desired, site) {
            if let Some(live) = now.picture.live_node(dataset) {
                nodes.entry(live.node).or_default().push(dataset);
            }
        }
        nodes
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        node: NodeId,
        question: &Question,
    ) -> Result<T, Problem> {
        if node != self.me {
            return self.ask_other(node, question).await;
        }
        let json = serde_json::to_vec(question).map_err(|error| internal(&error))?;
        let answer = self.answer(&json).await?;
        serde_json::from_slice(&answer).map_err(|error| internal(&error))
    }

    async fn ask_other<T: DeserializeOwned>(
        &self,
        node: NodeId,
        question: &Question,
    ) -> Result<T, Problem> {
        let json = serde_json::to_vec(question).map_err(|error| internal(&error))?;
        let calls = &self.group.calls;
        let limit = self.registry.longest_change() + CALL_LIMIT;
        let called = calls.call(node, MOVE_CALL, json.into(), limit).await;
        let answer = called.map_err(|error| {
            if let CallError::Problem(problem) = error {
                return problem;
            }
            tracing::info!(node.id = %node, %error, "not asked about a move");
            Problem::new(
                ProblemCode::NodeDown,
                "The node that serves the site does not answer; try again in a moment.",
            )
        })?;
        serde_json::from_slice(&answer).map_err(|error| internal(&error))
    }

    /// Answers [`MOVE_CALL`].
    ///
    /// # Errors
    /// What the brain or the registry says against it.
    pub async fn answer(&self, question: &[u8]) -> Result<bytes::Bytes, Problem> {
        let question =
            serde_json::from_slice(question).map_err(|error| crate::node::malformed(&error))?;
        let answer = match question {
            Question::Begin { site, to, by } => {
                serde_json::to_vec(&self.begin_here(site, to, by).await?)
            }
            Question::Join { datasets, to, by } => {
                for dataset in datasets {
                    self.ask_brain(dataset, to, by).await?;
                }
                serde_json::to_vec(&())
            }
            Question::CallOff { datasets } => {
                for dataset in datasets {
                    let call_off = Input::Dataset(dataset, DatasetEvent::CallOffMove);
                    let _stopped = self.inputs.send(call_off);
                }
                serde_json::to_vec(&())
            }
            Question::Explain { datasets } => {
                let (answer, explained) = oneshot::channel();
                let _stopped = self.inputs.send(Input::Explain { datasets, answer });
                serde_json::to_vec(&in_time(explained).await?)
            }
        };
        answer.map(Into::into).map_err(|error| internal(&error))
    }

    async fn begin_here(&self, site: SiteId, to: NodeId, by: AccountId) -> Result<JobId, Problem> {
        let desired = Arc::clone(&self.desired.borrow());
        let site = desired
            .sites
            .get(&site)
            .ok_or_else(|| crate::api::not_found("site"))?;
        let started = Change::StartJob {
            kind: JobKind::MoveSite {
                site: site.id,
                to,
                by: Some(by),
            },
            // The site's owner sees what happens to it, whoever asked.
            account: site.account,
            node: self.me,
            now: self.clock.wall(),
        };
        let Applied::Job(job) = self.registry.change(started).await? else {
            return Err(internal(&"a job was not answered with its number"));
        };
        // The job exists from here on; whatever goes wrong ends it.
        if let Err(problem) = self.tell_brains(&desired, site, to, by).await {
            self.finish(job, Some(problem.clone())).await;
            return Err(problem);
        }
        let (follower, site) = (self.clone(), site.clone());
        let title = format!("job {job}: move site {}", site.id);
        self.tasks.spawn_until_stopped(title, async move {
            let problem = follower.follow(job, &desired, &site, to).await.err();
            follower.finish(job, problem).await;
        });
        Ok(job)
    }

    /// Tells each brain that serves something of the site to move it. What goes wrong on another
    /// node than the first is no reason to stop: the site works from two nodes as well.
    async fn tell_brains(
        &self,
        desired: &Arc<Desired>,
        site: &Site,
        to: NodeId,
        by: AccountId,
    ) -> Result<(), Problem> {
        let now = Now {
            desired: Arc::clone(desired),
            picture: Arc::clone(&self.picture.borrow()),
            at: self.clock.wall(),
        };
        for (node, datasets) in self.by_live_node(&now, site) {
            if node == to {
                continue;
            }
            if node == self.me {
                if let Some(first) = datasets.first() {
                    // The brain takes everything of the site that is live here.
                    self.ask_brain(*first, to, by).await?;
                }
            } else {
                let join = Question::Join {
                    datasets: datasets.into_iter().take(1).collect(),
                    to,
                    by,
                };
                if let Err(problem) = self.ask_other::<()>(node, &join).await {
                    tracing::info!(node.id = %node, %problem, "a part of the site does not follow");
                }
            }
        }
        Ok(())
    }

    async fn ask_brain(
        &self,
        dataset: DatasetId,
        to: NodeId,
        by: AccountId,
    ) -> Result<(), Problem> {
        let (answer, answered) = oneshot::channel();
        let _stopped = self.inputs.send(Input::AskMove {
            dataset,
            to,
            reason: MoveReason::Asked(by),
            answer,
        });
        in_time(answered).await?.map_err(refused)
    }

    /// Watches the moves of a site's datasets to their end, and shows them as the job's progress.
    async fn follow(
        &self,
        job: JobId,
        desired: &Desired,
        site: &Site,
        to: NodeId,
    ) -> Result<(), Problem> {
        let mut shown = Shown::new(&datasets_of(desired, site));
        let began = self.clock.now();
        loop {
            tokio::time::sleep(LOOK).await;
            let picture = Arc::clone(&self.picture.borrow());
            let is_under_way = shown.look(&picture, to, self.clock.now());
            let progress = shown.progress(job);
            let _stopped = self
                .inputs
                .send(Input::Own(OwnFact::Job(job, Some(progress))));
            let passed = self.clock.now().since(began);
            if !is_under_way && (shown.has_begun() || passed > BEGIN_LIMIT) || passed > JOB_LIMIT {
                break;
            }
        }
        self.judge(site, to).await
    }

    /// Whether the site's files are live on the target; if not, the receipt says why.
    async fn judge(&self, site: &Site, to: NodeId) -> Result<(), Problem> {
        let mut picture = self.picture.clone();
        let is_there = |picture: &Arc<Picture>| {
            let live = picture.live_node(site.dataset);
            live.is_some_and(|live| live.node == to && live.route.is_open)
        };
        let arrived = tokio::time::timeout(ROUTE_LIMIT, picture.wait_for(is_there)).await;
        if matches!(arrived, Ok(Ok(_))) {
            return Ok(());
        }
        let desired = self.desired.borrow();
        let receipt = desired
            .moves
            .values()
            .rev()
            .find(|receipt| receipt.report.dataset == site.dataset);
        let problem = receipt.and_then(|receipt| receipt.report.problem.clone());
        Err(problem.unwrap_or_else(|| {
            Problem::new(
                ProblemCode::MoveCalledOff,
                "The site stays where it was; its moves say why.",
            )
        }))
    }

    async fn finish(&self, job: JobId, problem: Option<Problem>) {
        let outcome = JobOutcome {
            ended_at: self.clock.wall(),
            problem,
        };
        if let Err(problem) = self
            .registry
            .change(Change::FinishJob { job, outcome })
            .await
        {
            tracing::error!(job.id = %job, %problem, "the end of a job is not in the registry");
        }
        let _stopped = self.inputs.send(Input::Own(OwnFact::Job(job, None)));
    }
}

/// What a job shows of the moves that it follows: one step per dataset.
struct Shown {
    steps: BTreeMap<DatasetId, Step>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Step {
    phase: Option<MovePhase>,
    percent: Option<u8>,
    began: Option<Moment>,
    ended: Option<Moment>,
    is_there: bool,
    now: Moment,
}

impl Shown {
    fn new(datasets: &[DatasetId]) -> Self {
        let steps = datasets.iter().map(|dataset| (*dataset, Step::default()));
        Self {
            steps: steps.collect(),
        }
    }

    /// Whether a move was seen, or everything is there already.
    fn has_begun(&self) -> bool {
        let mut steps = self.steps.values();
        steps.all(|step| step.is_there) || self.steps.values().any(|step| step.began.is_some())
    }

    /// Whether anything is under way just now.
    fn look(&mut self, picture: &Picture, to: NodeId, now: Moment) -> bool {
        for (dataset, step) in &mut self.steps {
            step.now = now;
            let live = picture.live_node(*dataset).map(|live| live.node);
            step.is_there = live == Some(to);
            match picture.moving(*dataset) {
                Some(moving) => {
                    step.began.get_or_insert(now);
                    step.phase = Some(moving.phase);
                    step.percent = percent(moving);
                }
                None if step.began.is_some() || step.is_there => {
                    step.ended.get_or_insert(now);
                    step.phase = None;
                }
                // Its turn has not come, or the brain has only just heard of it.
                None => {}
            }
        }
        self.steps.values().any(|step| step.phase.is_some())
    }

    fn progress(&self, job: JobId) -> JobProgress {
        let step = |(dataset, step): (&DatasetId, &Step)| {
            let state = match (step.phase, step.ended) {
                (Some(_), _) => StepState::Running,
                (None, Some(_)) if step.is_there => StepState::Done,
                (None, Some(_)) => StepState::Failed,
                (None, None) => StepState::Waiting,
            };
            let end = step.ended.unwrap_or(step.now);
            let elapsed = step.began.map_or(Duration::ZERO, |began| end.since(began));
            JobStep {
                name: format!("move-dataset-{dataset}"),
                state,
                percent: step.percent.filter(|_| state == StepState::Running),
                elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            }
        };
        JobProgress {
            job,
            steps: self.steps.iter().map(step).collect(),
            log: Vec::new(),
        }
    }
}

/// How much of what the target lacked it has.
fn percent(moving: &MoveProgress) -> Option<u8> {
    let all = moving.sent_bytes + moving.behind_bytes;
    let done = (moving.sent_bytes * 100).checked_div(all)?;
    u8::try_from(done).ok()
}

/// The datasets of a site, the files first.
fn datasets_of(desired: &Desired, site: &Site) -> Vec<DatasetId> {
    let databases = desired.databases_of_site(site.id);
    let databases: BTreeSet<_> = databases.map(|database| database.dataset).collect();
    std::iter::once(site.dataset).chain(databases).collect()
}

async fn in_time<T>(answered: oneshot::Receiver<T>) -> Result<T, Problem> {
    match tokio::time::timeout(BRAIN_LIMIT, answered).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) | Err(_) => Err(internal(&"the brain did not answer")),
    }
}

/// The brain's refusal, for whoever asked.
fn refused(refused: Refused) -> Problem {
    let (code, message) = match refused {
        Refused::UnknownDataset => (ProblemCode::NotFound, "There is no such site."),
        Refused::NotLiveHere { .. } => return not_live(),
        Refused::UnknownNode => (
            ProblemCode::UnknownNode,
            "There is no such node in the cluster. hwc status lists the nodes.",
        ),
        Refused::TargetUnfit(unfit) => return unfit_target(unfit),
        Refused::Pinned { .. } => (
            ProblemCode::Conflict,
            "The site is pinned to another node and would be moved back. Let it go first.",
        ),
        Refused::AlreadyThere => (
            ProblemCode::AlreadyThere,
            "The site is live on that node already.",
        ),
        Refused::UnderWay { .. } => (
            ProblemCode::SiteBusy,
            "The site is being moved already. Wait until it has arrived, or call that move off.",
        ),
        Refused::NotWritable => (
            ProblemCode::SettingsReadOnly,
            "The node holds no copy of the site, and it can't be given one: most voters are out \
             of reach.",
        ),
        Refused::TooEarly => (
            ProblemCode::SiteNotLive,
            "The node that serves the site has just started; try again in a moment.",
        ),
    };
    Problem::new(code, message).field("node")
}

fn unfit_target(unfit: Unfit) -> Problem {
    let (code, message) = match unfit {
        Unfit::Down => (ProblemCode::NodeDown, "That node does not answer."),
        Unfit::Draining => (
            ProblemCode::NodeDraining,
            "That node is being drained. Put it back to use first, or choose another.",
        ),
        Unfit::NotHosting => (
            ProblemCode::NodeNotHosting,
            "That node hosts no sites. Choose another.",
        ),
        Unfit::Full => (
            ProblemCode::NodeFull,
            "That node has not enough free space for the site. Choose another.",
        ),
        Unfit::Here => (
            ProblemCode::AlreadyThere,
            "The site is live on that node already.",
        ),
        Unfit::Unwell => (
            ProblemCode::NoNode,
            "A service of that node does not run as it should. Choose another.",
        ),
        Unfit::Busy | Unfit::SameZone => (
            ProblemCode::NoNode,
            "That node is not fit to take the site; hwc explain says why.",
        ),
    };
    Problem::new(code, message).field("node")
}

fn not_live() -> Problem {
    Problem::new(
        ProblemCode::SiteNotLive,
        "The site is not being served just now; try again in a moment.",
    )
}

fn internal(error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%error, "a move could not be arranged");
    Problem::new(
        ProblemCode::Internal,
        "Something went wrong inside; the log of the node says what.",
    )
}
