use std::{io, path::PathBuf, time::Duration};

/// Why a sandbox could not do what was asked. The texts are for people: they name the server and the step.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// `scripts/servers` could not get the server; the text is its one sentence.
    #[error("{0}")]
    Provision(String),
    /// A file or process operation failed.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A server process ended, or did not answer, while it was expected to serve.
    #[error("the server on port {port} {what}; the end of its log:\n{log}")]
    Server {
        /// The server's port.
        port: u16,
        /// What it did instead.
        what: String,
        /// The last lines of the server's error log.
        log: String,
    },
    /// A statement failed on a server.
    #[error("port {port}: {statement}: {source}")]
    Sql {
        /// The server's port; 0 when the server is not known.
        port: u16,
        /// The statement, or what was tried.
        statement: String,
        /// The server's or the driver's reason.
        source: Box<mysql_async::Error>,
    },
    /// Something did not happen in time.
    #[error("{what} took longer than {limit:?}")]
    Timeout {
        /// What did not happen.
        what: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The server answered something that cannot be used.
    #[error("{0}")]
    Unexpected(String),
}

impl SandboxError {
    /// An [`io::Error`] with what was tried, for `map_err`.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// The same for a path.
    pub(crate) fn path(verb: &str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        Self::io(format!("{verb} {}", path.into().display()))
    }

    /// A driver's error with the statement that met it, for `map_err`.
    pub(crate) fn sql(port: u16, statement: &str) -> impl FnOnce(mysql_async::Error) -> Self {
        let statement = statement.to_owned();
        move |source| Self::Sql { port, statement, source: Box::new(source) }
    }
}
