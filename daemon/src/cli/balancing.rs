//! `hwc cluster balancing`: how load is spread.

use super::{Failure, Session};
use clap::Args;
use hwc_api::balancing::Balancing;
use hwc_api::v1::{ReadBalancing, SetBalancing};

/// What to change; shows the rules where nothing is named.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Move sites to spread load.
    #[arg(long, conflicts_with = "off")]
    on: bool,
    /// Move no sites to spread load. Drains and what is asked for go on.
    #[arg(long)]
    off: bool,
    /// Most planned moves a minute in the whole cluster, drains included.
    #[arg(long)]
    moves_per_minute: Option<u16>,
    /// Most planned moves at once from one node.
    #[arg(long)]
    moves_at_once: Option<u16>,
    /// What has moved stays where it is for so long, seconds.
    #[arg(long)]
    cool_down_s: Option<u32>,
    /// How long a move is announced before it begins, seconds.
    #[arg(long)]
    veto_s: Option<u32>,
    /// A node is busy above this share of its processors, percent.
    #[arg(long)]
    busy_percent: Option<u8>,
    /// The other node must stay at least this much below it, percent points.
    #[arg(long)]
    gap_percent: Option<u8>,
    /// How long a node is busy before it hands a site over, seconds.
    #[arg(long)]
    patience_s: Option<u32>,
}

impl Arguments {
    /// The rules with what is named changed.
    fn change(&self, now: Balancing) -> Balancing {
        Balancing {
            is_on: (now.is_on || self.on) && !self.off,
            moves_per_minute: self.moves_per_minute.unwrap_or(now.moves_per_minute),
            moves_at_once: self.moves_at_once.unwrap_or(now.moves_at_once),
            cool_down_s: self.cool_down_s.unwrap_or(now.cool_down_s),
            veto_s: self.veto_s.unwrap_or(now.veto_s),
            busy_percent: self.busy_percent.unwrap_or(now.busy_percent),
            gap_percent: self.gap_percent.unwrap_or(now.gap_percent),
            patience_s: self.patience_s.unwrap_or(now.patience_s),
        }
    }
}

pub async fn run(session: &Session, arguments: Arguments) -> Result<(), Failure> {
    let now = session.client.call(&ReadBalancing).await?;
    let body = arguments.change(now);
    if body == now {
        return session.print(&now, text);
    }
    let balancing = session.client.call(&SetBalancing { body }).await?;
    session.print(&balancing, text)
}

fn text(rules: &Balancing) -> String {
    let state = if rules.is_on { "on" } else { "off" };
    format!(
        "Balancing is {state}.\n\
         At most {} planned moves a minute, {} at once from one node.\n\
         A node is busy above {} % for {} s; it hands over to one that stays {} points below it.\n\
         A move is announced {} s before; what has moved stays for {} s.",
        rules.moves_per_minute,
        rules.moves_at_once,
        rules.busy_percent,
        rules.patience_s,
        rules.gap_percent,
        rules.veto_s,
        rules.cool_down_s
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn check(words: &[&str], now: Balancing, expected: Balancing) {
        let line = Line::parse_from([&["balancing"], words].concat());
        assert_eq!(line.arguments.change(now), expected, "{words:?}");
    }

    #[test]
    fn only_what_is_named_changes() {
        let on = Balancing::default();
        let off = Balancing { is_on: false, ..on };
        check(&[], on, on);
        check(&[], off, off);
        check(&["--on"], off, on);
        check(&["--off"], on, off);
        let slower = Balancing {
            moves_per_minute: 2,
            ..off
        };
        check(&["--moves-per-minute", "2"], off, slower);
    }
}
