//! Breaking the network of a lab, and mending it.
//!
//! What is broken is written down first ([`Faults`]) and then applied to the kernel ([`crate::faults`]).

use super::{LOCK_LIMIT, Lab};
use crate::deadline::Deadline;
use crate::error::Result;
use crate::faults;
use crate::state::Faults;

impl Lab {
    /// Unplugs a member's cable.
    ///
    /// # Errors
    /// When there is no such member.
    pub fn isolate(&self, member: &str) -> Result<()> {
        self.change_faults([member], |faults| {
            faults.isolated.insert(member.to_owned());
        })
    }

    /// Plugs it in again.
    ///
    /// # Errors
    /// When there is no such member.
    pub fn rejoin(&self, member: &str) -> Result<()> {
        self.change_faults([member], |faults| {
            faults.isolated.remove(member);
        })
    }

    /// Members of different groups don't reach each other any more; members of none reach all.
    /// Takes the place of an earlier partition.
    ///
    /// # Errors
    /// When there is no such member.
    pub fn partition(&self, groups: &[Vec<String>]) -> Result<()> {
        let named: Vec<&str> = groups.iter().flatten().map(String::as_str).collect();
        self.change_faults(named, |faults| faults.partition = groups.to_vec())
    }

    /// Every frame from and to these members is lost with this chance.
    ///
    /// # Errors
    /// When there is no such member, or the number is not a percentage.
    pub fn loss(&self, percent: f64, members: &[String]) -> Result<()> {
        let percent = faults::check_percent(percent)?;
        self.change_faults(members.iter().map(String::as_str), |faults| {
            faults
                .loss_percent
                .extend(members.iter().map(|member| (member.clone(), percent)));
        })
    }

    /// These members' cables carry this much in each direction.
    ///
    /// # Errors
    /// When there is no such member, or the number makes no sense.
    pub fn rate(&self, mbit: f64, members: &[String]) -> Result<()> {
        let mbit = faults::check_rate(mbit)?;
        self.change_faults(members.iter().map(String::as_str), |faults| {
            faults
                .rate_mbit
                .extend(members.iter().map(|member| (member.clone(), mbit)));
        })
    }

    /// Every frame on these members' cables takes this much longer, in each direction.
    ///
    /// # Errors
    /// When there is no such member.
    pub fn delay(&self, milliseconds: u64, members: &[String]) -> Result<()> {
        self.change_faults(members.iter().map(String::as_str), |faults| {
            faults
                .delay_ms
                .extend(members.iter().map(|member| (member.clone(), milliseconds)));
        })
    }

    /// Removes every fault of the network.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn heal(&self) -> Result<()> {
        self.change_faults([], |faults| *faults = Faults::default())
    }

    fn change_faults<'a>(
        &self,
        named: impl IntoIterator<Item = &'a str>,
        change: impl FnOnce(&mut Faults),
    ) -> Result<()> {
        let members = self.members();
        let named: Vec<String> = named.into_iter().map(str::to_owned).collect();
        if let Some(unknown) = faults::unknown(&named, &members) {
            return Err(self.no_node(&unknown));
        }
        let _lock = self.shared()?;
        let _faults_lock = self
            .directory
            .lock_part("faults", Deadline::after(LOCK_LIMIT))?;
        let old = self.directory.faults()?;
        let mut new = old.clone();
        change(&mut new);
        // Written first: what is half applied when something fails can still be healed.
        self.directory.write_faults(&new)?;
        faults::apply(&self.id, &self.hierarchies, &members, &old, &new)
    }
}
