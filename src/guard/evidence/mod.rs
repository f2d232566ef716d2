//! Collects what a binary log says about a case, and decides. PURE.

use tideover_protocol::binlog::{LoggedStatement, LoggedTransaction, Outcome, StatementKind};

use super::case::{Case, Doubt, Settlement, Writing};
use super::{gtid, rows, tag};

/// What was found about one case.
#[derive(Debug, Clone)]
pub(super) struct Evidence {
    /// `server_id` of the server where it ran.
    origin: u32,
    /// Whether the log that is read is that server's own.
    at_origin: bool,
    /// The command in doubt itself.
    own: Option<Trace>,
    /// Anything of its unit.
    unit: Option<Trace>,
    /// Something of this connection that may or may not be of the unit.
    doubtful: bool,
    /// Transactions of that server without texts: the unit may be among them.
    hidden: bool,
}

/// A transaction with the tag.
#[derive(Debug, Clone)]
struct Trace {
    gtid: String,
    /// Certainly there as a whole.
    whole: bool,
    statement: LoggedStatement,
}

impl Evidence {
    /// Nothing yet. `origin` is the `server_id` of the server where the unit ran; `at_origin` says whether it is that
    /// server's own log that is read.
    pub(super) fn new(origin: u32, at_origin: bool) -> Self {
        Self { origin, at_origin, own: None, unit: None, doubtful: false, hidden: false }
    }

    /// Takes in the next transaction of the log.
    pub(super) fn take_in(&mut self, case: &Case, connection: &[u8], transaction: &LoggedTransaction) {
        if transaction.server_id == self.origin
            && !transaction.has_all_texts()
            && self.may_be_ours(case, transaction)
        {
            self.hidden = true;
        }
        for statement in &transaction.statements {
            let Some(tag) = tag::of_statement(&statement.text).filter(|t| t.connection == connection) else {
                continue;
            };
            match tag.number {
                Some(number) if case.own == Some(number) => {
                    self.own = Some(trace(case, transaction, statement));
                    self.unit = Some(trace(case, transaction, statement));
                }
                Some(number) if case.numbers.contains(&number) => {
                    self.unit = Some(trace(case, transaction, statement));
                }
                None if case.prepared => self.prepared(case, transaction, statement),
                _ => {}
            }
        }
    }

    /// On its own server the log names the connection of each transaction truly.
    fn may_be_ours(&self, case: &Case, transaction: &LoggedTransaction) -> bool {
        !self.at_origin || transaction.thread_id.is_none_or(|thread| thread == case.thread)
    }

    /// An execution of a prepared statement on this connection: of an earlier unit, or of this one.
    fn prepared(&mut self, case: &Case, transaction: &LoggedTransaction, statement: &LoggedStatement) {
        let acknowledged = String::from_utf8_lossy(&case.acknowledged);
        let newer = if transaction.gtid.is_empty() {
            None
        } else if acknowledged.is_empty() {
            Some(true)
        } else {
            gtid::is_newer(&transaction.gtid, &acknowledged)
        };
        match newer {
            Some(false) => {}
            Some(true) if !case.unclear => {
                self.unit = Some(trace(case, transaction, statement));
                if case.own.is_none() {
                    self.own = self.unit.clone();
                }
            }
            _ => self.doubtful = true,
        }
    }

    /// What became of the case, after the whole log was read from its bookmark on.
    pub(super) fn settle(&self, case: &Case) -> Settlement {
        let tell = |why: &str| Settlement::CannotTell(why.to_owned());
        if let Some(trace) = self.decisive(case) {
            if !trace.whole {
                return tell("it changed a table without transactions, and may have been executed in part");
            }
            if let Some(why) = case.unanswerable {
                return tell(why);
            }
            return committed(case, trace);
        }
        if self.unit.is_some() {
            return tell("its transaction was committed, but the statement itself is not in the binary log");
        }
        if self.doubtful {
            return tell("the server's commits cannot be told apart without their GTIDs");
        }
        if let Some(why) = case.blind {
            return tell(why);
        }
        if self.hidden {
            return tell("the binary log has changes without the texts of their statements");
        }
        Settlement::NotCommitted
    }

    /// The trace that proves what was in doubt.
    fn decisive(&self, case: &Case) -> Option<&Trace> {
        match case.doubt {
            Doubt::Statement => self.own.as_ref(),
            Doubt::Commit => self.unit.as_ref(),
            Doubt::Definition if case.own.is_some() => self.own.as_ref(),
            // Prepared: not to be told from the statements of the transaction but by how it stands in the log.
            Doubt::Definition => self.own.as_ref().filter(|t| t.statement.kind == StatementKind::Text),
        }
    }
}

fn trace(case: &Case, transaction: &LoggedTransaction, statement: &LoggedStatement) -> Trace {
    let definition = case.writing == Writing::Other
        && transaction.statements.len() == 1
        && statement.kind == StatementKind::Text
        && transaction.is_committed();
    let whole = transaction.outcome == Outcome::Committed && (transaction.has_xid || definition);
    Trace { gtid: transaction.gtid.clone(), whole, statement: statement.clone() }
}

fn committed(case: &Case, trace: &Trace) -> Settlement {
    let counted = case.doubt == Doubt::Statement;
    Settlement::Committed {
        affected_rows: counted.then(|| rows::affected(case.writing, &case.text, &trace.statement)).flatten(),
        inserted: counted
            .then(|| rows::inserted(case.writing, &case.text, &trace.statement))
            .flatten()
            .map(Box::new),
        gtid: trace.gtid.clone(),
    }
}

#[cfg(test)]
mod tests;
