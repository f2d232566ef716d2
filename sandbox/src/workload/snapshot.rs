use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::Kind;

/// Errors of one kind that clients saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ErrorCount {
    /// How many.
    pub count: u64,
    /// The first few messages, each with what the client was doing.
    pub first: Vec<String>,
}

/// How a workload is doing: everything since its start.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Snapshot {
    /// Time since the start.
    pub elapsed: Duration,
    /// Units that succeeded, by kind.
    pub ok: BTreeMap<Kind, u64>,
    /// Errors that clients saw, by the server's error number; 0 stands for a connection that broke.
    pub errors: BTreeMap<u16, ErrorCount>,
    /// Sessions whose connection broke or whose settings were not what the client had set.
    pub lost_sessions: u64,
    /// New connections that clients opened in place of lost ones.
    pub reconnects: u64,
    /// Answers that contradict what was acknowledged before: stale or doubled data.
    pub wrong_answers: ErrorCount,
    /// Transactions that met error 1213 and were run again, where the policy allows it; not among the errors.
    pub retried_deadlocks: u64,
    /// Statements answered.
    pub statements: u64,
    /// The longest time a statement took to be answered, errors included.
    pub longest_wait: Duration,
    /// The longest that a client is waiting for an answer at this moment.
    pub waiting_now: Duration,
    /// Half of all statements took at most this long.
    pub median: Duration,
    /// 99 of 100 statements took at most this long.
    pub p99: Duration,
    /// 999 of 1000 statements took at most this long.
    pub p999: Duration,
}

impl Snapshot {
    /// Units that succeeded.
    pub fn total_ok(&self) -> u64 {
        self.ok.values().sum()
    }

    /// Errors that clients saw; retried deadlocks are not among them.
    pub fn total_errors(&self) -> u64 {
        self.errors.values().map(|errors| errors.count).sum()
    }

    /// Whether the application noticed nothing: no error, no lost session, no wrong answer.
    pub fn is_clean(&self) -> bool {
        self.total_errors() == 0 && self.lost_sessions == 0 && self.wrong_answers.count == 0
    }
}
