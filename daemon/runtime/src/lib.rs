//! What every long-running part shares: task ownership, periodic work, clock, commands, atomic files, dialling.
