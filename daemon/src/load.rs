//! What this node and the datasets that are live here take: processor time, memory, disk, requests.
//!
//! Every site and every database has a Unix user of its own, so one look over `/proc` tells the
//! processes apart; what ended children took is in their parents' counters (proc(5): `cutime`,
//! `cstime`; `io` counts waited-for children too). Averages decay over about a minute.

use hwc_api::balancing::{DatasetLoad, NodeLoad};
use hwc_api::desired::Desired;
use hwc_api::ids::DatasetId;
use hwc_api::observed::HeavyDataset;
use hwc_awesome_proxy::ProxyStats;
use hwc_runtime::clock::Moment;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// After so long, an average has forgotten about two thirds of what was before.
const MEMORY_SECONDS: f64 = 60.0;
/// How many datasets are named in a node's report.
const HEAVIEST: usize = 20;

/// What a node and its datasets take.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loads {
    /// The node as a whole.
    pub node: NodeLoad,
    /// The datasets that are live on it.
    pub datasets: BTreeMap<DatasetId, DatasetLoad>,
}

impl Loads {
    /// The datasets that take most, the heaviest first.
    #[must_use]
    pub fn heaviest(&self) -> Vec<HeavyDataset> {
        let mut all: Vec<_> = self
            .datasets
            .iter()
            .filter(|(_, load)| load.cpu_millicores > 0 || load.requests_per_1000_s > 0)
            .map(|(dataset, load)| HeavyDataset {
                dataset: *dataset,
                load: *load,
            })
            .collect();
        all.sort_by_key(|heavy| {
            let load = heavy.load;
            std::cmp::Reverse((load.cpu_millicores, load.requests_per_1000_s))
        });
        all.truncate(HEAVIEST);
        all
    }
}

/// What one user's processes have taken since they began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Usage {
    cpu_ticks: u64,
    io_bytes: u64,
    memory_bytes: u64,
}

/// Measures, look by look.
#[derive(Debug, Default)]
pub struct LoadMeter {
    before: Option<Look>,
    node: Averages,
    datasets: BTreeMap<DatasetId, Averages>,
}

/// What was seen at one moment.
#[derive(Debug)]
struct Look {
    at: Moment,
    users: BTreeMap<u32, Usage>,
    requests: ProxyStats,
}

/// Averages per second.
#[derive(Debug, Clone, Copy, Default)]
struct Averages {
    cpu_millicores: f64,
    io_bytes: f64,
    millirequests: f64,
}

impl Averages {
    /// Takes in what was taken during the last `seconds`.
    fn take(&mut self, seconds: f64, cpu_ticks: u64, io_bytes: u64, requests: u64) {
        let weight = 1.0 - (-seconds / MEMORY_SECONDS).exp();
        let ticks_per_second = rustix::param::clock_ticks_per_second();
        let blend = |average: &mut f64, taken: f64| {
            *average += (taken / seconds - *average) * weight;
        };
        blend(
            &mut self.cpu_millicores,
            float(cpu_ticks) * 1_000.0 / float(ticks_per_second),
        );
        blend(&mut self.io_bytes, float(io_bytes));
        blend(&mut self.millirequests, float(requests) * 1_000.0);
    }
}

impl LoadMeter {
    /// Looks at the machine and says what it has been doing. `live` are the datasets served here.
    pub fn look(
        &mut self,
        now: Moment,
        desired: &Desired,
        live: &[DatasetId],
        requests: ProxyStats,
    ) -> Loads {
        let look = Look {
            at: now,
            users: usage_by_user(Path::new("/proc")),
            requests,
        };
        let owners = owners(desired, live);
        self.datasets
            .retain(|dataset, _| owners.contains_key(dataset));
        if let Some(before) = self.before.take() {
            self.compare(&before, &look, &owners);
        }
        let loads = self.loads(&look, &owners);
        self.before = Some(look);
        loads
    }

    fn compare(&mut self, before: &Look, now: &Look, owners: &BTreeMap<DatasetId, u32>) {
        let seconds = now.at.since(before.at).as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        let taken = |uid: &u32| {
            let then = before.users.get(uid).copied().unwrap_or_default();
            let usage = now.users.get(uid).copied().unwrap_or_default();
            // Less than before: the user's processes were started anew.
            (
                usage.cpu_ticks.saturating_sub(then.cpu_ticks),
                usage.io_bytes.saturating_sub(then.io_bytes),
            )
        };
        let all = now.users.keys().map(taken);
        let (cpu, io) = all.fold((0, 0), |(cpu, io), (c, i)| (cpu + c, io + i));
        let served = |stats: &ProxyStats| stats.total.served;
        let requests = served(&now.requests).saturating_sub(served(&before.requests));
        self.node.take(seconds, cpu, io, requests);
        for (dataset, uid) in owners {
            let (cpu, io) = taken(uid);
            let served = |stats: &ProxyStats| stats.datasets.get(dataset).map_or(0, |s| s.served);
            let requests = served(&now.requests).saturating_sub(served(&before.requests));
            let averages = self.datasets.entry(*dataset).or_default();
            averages.take(seconds, cpu, io, requests);
        }
    }

    fn loads(&self, look: &Look, owners: &BTreeMap<DatasetId, u32>) -> Loads {
        let memory = |uid: &u32| look.users.get(uid).map_or(0, |usage| usage.memory_bytes);
        let dataset = |(dataset, uid): (&DatasetId, &u32)| {
            let averages = self.datasets.get(dataset).copied().unwrap_or_default();
            let load = DatasetLoad {
                cpu_millicores: whole(averages.cpu_millicores),
                memory_bytes: memory(uid),
                io_bytes_per_s: whole(averages.io_bytes).into(),
                requests_per_1000_s: whole(averages.millirequests),
            };
            (*dataset, load)
        };
        Loads {
            node: NodeLoad {
                cpu_millicores: whole(self.node.cpu_millicores),
                io_bytes_per_s: whole(self.node.io_bytes).into(),
                cpu_pressure_percent: pressure("cpu"),
                memory_pressure_percent: pressure("memory"),
                io_pressure_percent: pressure("io"),
                requests_per_1000_s: whole(self.node.millirequests),
            },
            datasets: owners.iter().map(dataset).collect(),
        }
    }
}

/// The Unix user of each dataset that is live here.
fn owners(desired: &Desired, live: &[DatasetId]) -> BTreeMap<DatasetId, u32> {
    let sites = desired.sites.values().map(|site| (site.dataset, site.uid));
    let databases = desired.databases.values().map(|db| (db.dataset, db.uid));
    sites
        .chain(databases)
        .filter(|(dataset, _)| live.contains(dataset))
        .collect()
}

fn usage_by_user(proc: &Path) -> BTreeMap<u32, Usage> {
    let mut users: BTreeMap<u32, Usage> = BTreeMap::new();
    let entries = std::fs::read_dir(proc).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let is_process = name
            .to_str()
            .is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit()));
        if !is_process {
            continue;
        }
        let folder = entry.path();
        // A process that ends meanwhile is passed over: its parent has its time.
        let Ok(owner) = std::fs::metadata(&folder).map(|metadata| metadata.uid()) else {
            continue;
        };
        let read = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap_or_default();
        let usage = users.entry(owner).or_default();
        usage.cpu_ticks += cpu_ticks(&read("stat"));
        usage.io_bytes += io_bytes(&read("io"));
        usage.memory_bytes += resident_bytes(&read("statm"));
    }
    users
}

/// User and system time, waited-for children's included, from /proc/PID/stat.
fn cpu_ticks(stat: &str) -> u64 {
    // The name in parentheses may hold anything, spaces and parentheses too.
    let Some((_, fields)) = stat.rsplit_once(')') else {
        return 0;
    };
    // utime, stime, cutime, cstime are fields 14 to 17; after the name comes field 3.
    let times = fields.split_whitespace().skip(11).take(4);
    times.filter_map(|time| time.parse::<u64>().ok()).sum()
}

/// Bytes that went to and came from disks, from /proc/PID/io.
fn io_bytes(io: &str) -> u64 {
    let value = |line: &str| -> Option<u64> {
        let (name, value) = line.split_once(": ")?;
        matches!(name, "read_bytes" | "write_bytes")
            .then(|| value.trim().parse().ok())
            .flatten()
    };
    io.lines().filter_map(value).sum()
}

/// Resident memory, from /proc/PID/statm.
fn resident_bytes(statm: &str) -> u64 {
    let pages: Option<u64> = statm
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse().ok());
    let page = u64::try_from(rustix::param::page_size()).unwrap_or(4_096);
    pages.unwrap_or(0) * page
}

/// The share of the last ten seconds in which work waited, percent; 0 where the kernel does not
/// tell.
fn pressure(kind: &str) -> u8 {
    let text = std::fs::read_to_string(format!("/proc/pressure/{kind}")).unwrap_or_default();
    some_avg10(&text)
}

fn some_avg10(text: &str) -> u8 {
    let line = text.lines().find_map(|line| line.strip_prefix("some "));
    let value = line
        .and_then(|line| line.split(' ').find_map(|word| word.strip_prefix("avg10=")))
        .and_then(|value| value.parse::<f64>().ok());
    u8::try_from(whole(value.unwrap_or(0.0)).min(100)).unwrap_or(100)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "averages for people and for balancing; an error of 2^-53 is none"
)]
fn float(number: u64) -> f64 {
    number as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped before"
)]
fn whole(number: f64) -> u32 {
    number.clamp(0.0, f64::from(u32::MAX)).round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_understood() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 1 2 3 4 100 50 20 5 20 0 1 0 99";
        assert_eq!(cpu_ticks(stat), 175);
        assert_eq!(cpu_ticks(""), 0);
        let io =
            "rchar: 9\nwchar: 9\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 1\n";
        assert_eq!(io_bytes(io), 12_288);
        assert_eq!(
            some_avg10("some avg10=12.60 avg60=1.0 avg300=0 total=1\nfull avg10=99\n"),
            13
        );
        assert_eq!(some_avg10(""), 0);
    }

    #[test]
    fn an_average_comes_near_what_is_taken_and_forgets_it_again() {
        let ticks = rustix::param::clock_ticks_per_second();
        let mut averages = Averages::default();
        for _ in 0..100 {
            averages.take(5.0, 10 * ticks, 5_000, 50);
        }
        assert!(
            (1_990.0..=2_000.1).contains(&averages.cpu_millicores),
            "{averages:?}"
        );
        assert!(
            (990.0..=1_000.1).contains(&averages.io_bytes),
            "{averages:?}"
        );
        for _ in 0..100 {
            averages.take(5.0, 0, 0, 0);
        }
        assert!(averages.cpu_millicores < 10.0, "{averages:?}");
    }

    #[test]
    fn the_work_of_this_very_process_is_seen() {
        let me = rustix::process::getuid().as_raw();
        let before = usage_by_user(Path::new("/proc"));
        let mut sum = 0_u64;
        while usage_by_user(Path::new("/proc"))[&me].cpu_ticks <= before[&me].cpu_ticks {
            sum = (0..1_000_000_u64).fold(sum, u64::wrapping_add);
        }
        assert!(before[&me].memory_bytes > 0);
    }
}
