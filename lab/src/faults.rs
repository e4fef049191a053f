//! Faults of the network: what is wrong on purpose, and how that becomes rules of the kernel.
//!
//! Partitions and loss are nftables rules on the bridge, isolation is an unplugged cable, rates
//! and delays are queueing disciplines (delays fall back to [`crate::delay`] where the kernel has
//! no netem). [`render_rules`] and [`shaping`] are pure; `apply` does what changed.

use std::collections::BTreeSet;

use crate::cgroup::Hierarchies;
use crate::command::Command;
use crate::delay;
use crate::error::{Error, Result};
use crate::names::LabId;
use crate::network::{self, MEMBER_PORT, command_inside, switch_port};
use crate::state::Faults;

/// Our table in the switch's namespace.
const TABLE: &str = "hwclab";
/// Loss is drawn with this resolution: hundredths of a percent.
const LOSS_STEPS: f64 = 10_000.0;
/// Bucket of the rate limiter: at least this, else a hundredth of a second's worth, in bytes.
const BURST_BYTES_MIN: f64 = 32.0 * 1024.0;
/// Queue of a rate-limited cable, in milliseconds: what a cheap switch would hold.
const QUEUE_MS: u32 = 200;
/// Frames that a delayed cable may hold, enough for a gigabit per second and half a second.
const DELAY_QUEUE_FRAMES: u32 = 50_000;

/// Makes the kernel's state follow `new`. `members` are all nodes and the client.
pub(crate) fn apply(
    id: &LabId,
    hierarchies: &Hierarchies,
    members: &[String],
    old: &Faults,
    new: &Faults,
) -> Result<()> {
    let switch = id.switch_namespace();
    command_inside(&switch)
        .args(["nft", "-f", "-"])
        .stdin_bytes(render_rules(new))
        .check()?;
    for member in members {
        let was_isolated = old.isolated.contains(member);
        let is_isolated = new.isolated.contains(member);
        if was_isolated != is_isolated {
            let position = if is_isolated { "down" } else { "up" };
            network::ip(&switch, &["link", "set", &switch_port(member), position])?;
        }
        let shape = |faults: &Faults| {
            (
                faults.rate_mbit.get(member).copied(),
                faults
                    .delay_ms
                    .get(member)
                    .copied()
                    .filter(|delay| *delay > 0),
            )
        };
        let (rate, delay) = shape(new);
        if shape(old) != (rate, delay) {
            shape_member(id, hierarchies, members, member, rate, delay)?;
        }
    }
    for member in members {
        network::forget_silent_neighbours(&id.namespace(member))?;
    }
    Ok(())
}

/// The whole rule set, which replaces the one before in one step.
pub fn render_rules(faults: &Faults) -> String {
    let mut rules = Vec::new();
    for (index, group) in faults.partition.iter().enumerate() {
        for other in faults.partition.iter().skip(index + 1) {
            rules.push(format!(
                "iifname {} oifname {} drop",
                ports(group),
                ports(other)
            ));
            rules.push(format!(
                "iifname {} oifname {} drop",
                ports(other),
                ports(group)
            ));
        }
    }
    for (member, percent) in faults
        .loss_percent
        .iter()
        .filter(|(_, percent)| **percent > 0.0)
    {
        let share = (percent / 100.0 * LOSS_STEPS).round();
        let chance = match share >= LOSS_STEPS {
            true => String::new(),
            false => format!("numgen random mod {LOSS_STEPS} < {share} "),
        };
        for direction in ["iifname", "oifname"] {
            let port = ports(std::slice::from_ref(member));
            rules.push(format!("{direction} {port} {chance}drop"));
        }
    }
    let mut text = format!("add table bridge {TABLE}\ndelete table bridge {TABLE}\n");
    if !rules.is_empty() {
        let rules: String = rules
            .into_iter()
            .map(|rule| format!("    {rule}\n"))
            .collect();
        text.push_str(&format!(
            "table bridge {TABLE} {{\n  chain faults {{\n    type filter hook forward priority 0; policy accept;\n{rules}  }}\n}}\n"
        ));
    }
    text
}

/// The ports of members at the bridge, with and without a delay link in between.
fn ports(members: &[String]) -> String {
    let names = members
        .iter()
        .flat_map(|member| [switch_port(member), delay::bridge_port(member)]);
    format!(
        "{{ {} }}",
        names
            .map(|name| format!("{name:?}"))
            .collect::<Vec<_>>()
            .join(", ")
    )
}

/// Arguments of `tc qdisc add dev DEVICE` for a cable, in order.
pub fn shaping(rate_mbit: Option<f64>, delay_ms: Option<u64>) -> Vec<String> {
    let mut steps = Vec::new();
    let mut place = "root handle 1:";
    if let Some(delay) = delay_ms {
        steps.push(format!(
            "{place} netem delay {delay}ms limit {DELAY_QUEUE_FRAMES}"
        ));
        place = "parent 1:1 handle 10:";
    }
    if let Some(rate) = rate_mbit {
        let bits = (rate * 1e6).round();
        let burst = (bits / 8.0 / 100.0).max(BURST_BYTES_MIN).round();
        steps.push(format!(
            "{place} tbf rate {bits}bit burst {burst} latency {QUEUE_MS}ms"
        ));
    }
    steps
}

fn shape_member(
    id: &LabId,
    hierarchies: &Hierarchies,
    members: &[String],
    member: &str,
    rate: Option<f64>,
    delay: Option<u64>,
) -> Result<()> {
    delay::remove(id, hierarchies, member)?;
    let ends = [
        (id.switch_namespace(), switch_port(member)),
        (id.namespace(member), MEMBER_PORT.to_owned()),
    ];
    let set = |delay: Option<u64>| -> Result<()> {
        for (namespace, device) in &ends {
            replace_shaping(namespace, device, &shaping(rate, delay))?;
        }
        Ok(())
    };
    match set(delay) {
        Err(error) if delay.is_some() && is_netem_missing(&error) => {
            set(None)?;
            delay::add(id, hierarchies, members, member, delay.unwrap_or_default())
        }
        other => other,
    }
}

fn replace_shaping(namespace: &str, device: &str, steps: &[String]) -> Result<()> {
    // There may be nothing to delete, which is an error to tc and fine for us: what matters is
    // that the additions below succeed.
    Command::new("tc")
        .args(["-n", namespace, "qdisc", "del", "dev", device, "root"])
        .run()?;
    for step in steps {
        Command::new("tc")
            .args(["-n", namespace, "qdisc", "add", "dev", device])
            .args(step.split(' '))
            .check()?;
    }
    Ok(())
}

fn is_netem_missing(error: &Error) -> bool {
    matches!(error, Error::Command { stderr, .. } if stderr.contains("qdisc kind is unknown") || stderr.contains("No such file or directory"))
}

/// Checks a number from the command line.
///
/// # Errors
/// Outside 0 to 100.
pub fn check_percent(percent: f64) -> Result<f64> {
    if (0.0..=100.0).contains(&percent) {
        return Ok(percent);
    }
    Err(Error::Input(format!(
        "{percent} is no loss in percent: use 0 to 100"
    )))
}

/// Checks a number from the command line.
///
/// # Errors
/// When it is not above zero.
pub fn check_rate(mbit: f64) -> Result<f64> {
    if mbit.is_finite() && mbit >= 0.01 {
        return Ok(mbit);
    }
    Err(Error::Input(format!(
        "{mbit} is no rate in Mbit/s: use 0.01 or more; `hwc-lab heal` removes the limit"
    )))
}

/// The members that a partition, a loss, a rate or a delay names but that don't exist.
pub(crate) fn unknown<'a>(
    named: impl IntoIterator<Item = &'a String>,
    members: &[String],
) -> Option<String> {
    let known: BTreeSet<&String> = members.iter().collect();
    named
        .into_iter()
        .find(|name| !known.contains(name))
        .cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_faults_the_rules_only_clear_the_table() {
        assert_eq!(
            render_rules(&Faults::default()),
            "add table bridge hwclab\ndelete table bridge hwclab\n"
        );
    }

    #[test]
    fn three_groups_are_cut_pairwise_in_both_directions() {
        let groups = [
            vec!["n1".to_owned(), "n2".into()],
            vec!["n3".into()],
            vec!["client".into()],
        ];
        let rules = render_rules(&Faults {
            partition: groups.to_vec(),
            ..Faults::default()
        });
        assert_eq!(rules.matches(" drop").count(), 6);
        assert!(
            rules.contains(
                r#"iifname { "p-n3", "q-n3" } oifname { "p-n1", "q-n1", "p-n2", "q-n2" } drop"#
            ),
            "{rules}"
        );
    }

    #[test]
    fn loss_is_drawn_in_hundredths_of_a_percent() {
        let faults = Faults {
            loss_percent: [("n1".to_owned(), 2.5), ("n2".into(), 0.0)].into(),
            ..Faults::default()
        };
        let rules = render_rules(&faults);
        assert_eq!(rules.matches("mod 10000 < 250 drop").count(), 2);
        assert!(!rules.contains("n2"), "{rules}");
        let all = Faults {
            loss_percent: [("n1".to_owned(), 100.0)].into(),
            ..Faults::default()
        };
        assert!(render_rules(&all).contains(r#"oifname { "p-n1", "q-n1" } drop"#));
    }

    #[test]
    fn rate_and_delay_are_chained() {
        assert!(shaping(None, None).is_empty());
        assert_eq!(
            shaping(Some(20.0), None),
            ["root handle 1: tbf rate 20000000bit burst 32768 latency 200ms"]
        );
        assert_eq!(
            shaping(Some(0.5), Some(20)),
            [
                "root handle 1: netem delay 20ms limit 50000",
                "parent 1:1 handle 10: tbf rate 500000bit burst 32768 latency 200ms"
            ]
        );
    }

    #[test]
    fn numbers_that_make_no_sense_are_refused() {
        for percent in [-1.0, 100.1, f64::NAN] {
            assert!(check_percent(percent).is_err());
        }
        for rate in [0.0, -5.0, f64::NAN, f64::INFINITY] {
            assert!(check_rate(rate).is_err());
        }
    }
}
