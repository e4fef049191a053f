//! What a client asks for: the first byte of a command, and what follows from it; pure.

use super::answer::Form;

/// A command, as far as its kind matters on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    /// Ends the session.
    Quit,
    /// A statement as text.
    Query,
    /// Prepares a statement.
    Prepare,
    /// Executes a prepared statement, once or for many rows of parameters.
    Execute,
    /// The same for many rows.
    BulkExecute,
    /// Sends a part of a parameter; nothing is answered.
    SendLongData,
    /// Forgets a prepared statement; nothing is answered.
    CloseStatement,
    /// Forgets a prepared statement's parameters and cursor.
    ResetStatement,
    /// Fetches rows of a cursor.
    Fetch,
    /// Logs in anew.
    ChangeUser,
    /// Makes the session as it was after the login.
    ResetSession,
    /// Switches several statements in one text on or off.
    SetOption,
    /// Another one; its answer is of this form and changes nothing that must be followed.
    Plain(Form),
}

impl Command {
    /// The command of a first byte; none where it is one of replication, or nobody's.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0x01 => Self::Quit,
            0x03 => Self::Query,
            0x11 => Self::ChangeUser,
            0x16 => Self::Prepare,
            0x17 => Self::Execute,
            0x18 => Self::SendLongData,
            0x19 => Self::CloseStatement,
            0x1a => Self::ResetStatement,
            0x1b => Self::SetOption,
            0x1c => Self::Fetch,
            0x1f => Self::ResetSession,
            0xfa => Self::BulkExecute,
            // Default schema; create and drop one; refresh, shutdown, statistics, kill, debug, ping.
            0x02 | 0x05..=0x09 | 0x0c..=0x0e => Self::Plain(Form::One),
            // The columns of a table.
            0x04 => Self::Plain(Form::Rows),
            // The list of processes.
            0x0a => Self::Plain(Form::Results),
            _ => return None,
        })
    }

    /// The form of its answer; none where nothing is answered.
    pub const fn form(self) -> Option<Form> {
        match self {
            Self::Quit | Self::SendLongData | Self::CloseStatement => None,
            Self::Query | Self::Execute | Self::BulkExecute => Some(Form::Results),
            Self::Prepare => Some(Form::Prepared),
            Self::Fetch => Some(Form::Rows),
            Self::ResetStatement | Self::ChangeUser | Self::ResetSession | Self::SetOption => {
                Some(Form::One)
            }
            Self::Plain(form) => Some(form),
        }
    }

    /// Whether it does what a customer would call a statement: it counts as work, and it is the one
    /// that hears of a transaction that was lost.
    pub const fn is_statement(self) -> bool {
        match self {
            Self::Query | Self::Prepare | Self::Execute | Self::BulkExecute | Self::Fetch => true,
            Self::Quit
            | Self::SendLongData
            | Self::CloseStatement
            | Self::ResetStatement
            | Self::ChangeUser
            | Self::ResetSession
            | Self::SetOption
            | Self::Plain(_) => false,
        }
    }

    /// Whether the session is as after its login then: nothing of its past matters.
    pub const fn begins_anew(self) -> bool {
        matches!(self, Self::ChangeUser | Self::ResetSession)
    }

    /// Whether it names a prepared statement in the four bytes after its code.
    pub const fn names_statement(self) -> bool {
        match self {
            Self::Execute
            | Self::BulkExecute
            | Self::SendLongData
            | Self::CloseStatement
            | Self::ResetStatement
            | Self::Fetch => true,
            Self::Quit
            | Self::Query
            | Self::Prepare
            | Self::ChangeUser
            | Self::ResetSession
            | Self::SetOption
            | Self::Plain(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_replication_and_unknown_ones_are_nobodys() {
        let refused: Vec<u8> = (0..=255)
            .filter(|code| Command::from_code(*code).is_none())
            .collect();
        // Binlog dump, table dump, connect out, register replica; COM_MULTI.
        for code in [
            0x00, 0x0b, 0x0f, 0x10, 0x12, 0x13, 0x14, 0x15, 0x1d, 0x1e, 0xfe,
        ] {
            assert!(refused.contains(&code), "{code:#x}");
        }
        assert_eq!(refused.len(), 256 - 23);
    }

    #[test]
    fn only_three_commands_have_no_answer() {
        let silent = (0..=255).filter_map(Command::from_code);
        let silent: Vec<Command> = silent.filter(|command| command.form().is_none()).collect();
        assert_eq!(
            silent,
            [
                Command::Quit,
                Command::SendLongData,
                Command::CloseStatement
            ]
        );
    }
}
