use std::fmt;

use mysql_async::Error;

/// How a statement failed, as the client saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The server's error number; 0 if the connection broke instead.
    pub(crate) code: u16,
    pub(crate) message: String,
    /// Whether the connection is unusable from now on.
    pub(crate) lost: bool,
}

/// Errors after which a write may have happened: 1053 shutdown in progress, 1180 error during commit, 1317 interrupted,
/// 1927 connection killed.
const UNCLEAR: [u16; 4] = [1053, 1180, 1317, 1927];

impl Failure {
    pub(crate) fn new(error: &Error) -> Self {
        match error {
            Error::Server(error) => Self { code: error.code, message: error.message.clone(), lost: false },
            other => Self { code: 0, message: other.to_string(), lost: true },
        }
    }

    /// A unit that was still waiting for its answer when the workload was stopped.
    pub(crate) fn unfinished() -> Self {
        Self { code: 0, message: "no answer when the workload was stopped".into(), lost: true }
    }

    /// Whether the COMMIT or autocommit write that failed like this may have been done all the same.
    pub(crate) fn leaves_doubt(&self) -> bool {
        self.lost || UNCLEAR.contains(&self.code)
    }

    /// A deadlock: the transaction was rolled back, and the application is expected to run it again.
    pub(crate) const fn is_deadlock(&self) -> bool {
        self.code == 1213
    }

    /// The server is no primary any more.
    pub(crate) const fn is_read_only(&self) -> bool {
        self.code == 1290
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.code == 0 {
            self.message.fmt(formatter)
        } else {
            write!(formatter, "{}: {}", self.code, self.message)
        }
    }
}
