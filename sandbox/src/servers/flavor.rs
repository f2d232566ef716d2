use std::{fmt, fs, path::PathBuf, str::FromStr};

use serde::Serialize;

use super::{accounts, provision};
use crate::SandboxError;

/// A kind of database server that the sandbox can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Flavor {
    /// MariaDB 10.11, a long-term release.
    MariaDb1011,
    /// MariaDB 11.8, a long-term release.
    MariaDb118,
    /// MySQL 9, whichever minor version the distribution has.
    Mysql9,
}

impl Flavor {
    /// All of them, in the order in which tests name them.
    pub const ALL: [Self; 3] = [Self::MariaDb1011, Self::MariaDb118, Self::Mysql9];

    /// The name that `scripts/servers` knows, and its folder: `mariadb-10.11`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MariaDb1011 => "mariadb-10.11",
            Self::MariaDb118 => "mariadb-11.8",
            Self::Mysql9 => "mysql-9",
        }
    }

    /// Whether it speaks MariaDB's dialect of replication.
    pub const fn is_mariadb(self) -> bool {
        matches!(self, Self::MariaDb1011 | Self::MariaDb118)
    }

    /// Whether the server is on this machine already, so that starting one needs no network.
    pub fn available(self) -> bool {
        provision::is_complete(&self.directory())
    }

    /// Gets the server if it is not here yet (some ten seconds and up to 30 MB), and returns its version. Returns at
    /// once if it is. Fails with one sentence that says what is missing.
    pub async fn provision(self) -> Result<String, SandboxError> {
        if !self.available() {
            provision::run(self.name()).await?;
        }
        self.version()
    }

    /// The version that was got, as the server prints it.
    pub fn version(self) -> Result<String, SandboxError> {
        let path = self.directory().join("version");
        let text = fs::read_to_string(&path).map_err(SandboxError::path("read", path))?;
        Ok(text.trim().trim_start_matches("Ver ").to_owned())
    }

    /// What `tideover`, the monitor account, needs on servers of this kind: one list for the whole of monitoring,
    /// reading accounts, switchover and the guard. Each is a privilege list and what it is on, as in `GRANT … ON …`.
    pub const fn monitor_grants(self) -> &'static [&'static str] {
        if self.is_mariadb() { accounts::MARIADB_MONITOR_GRANTS } else { accounts::MYSQL_MONITOR_GRANTS }
    }

    /// The folder that `scripts/servers` made.
    pub fn directory(self) -> PathBuf {
        provision::base_directory().join(self.name())
    }
}

impl fmt::Display for Flavor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Flavor {
    type Err = SandboxError;

    /// Takes the names that [`Flavor::name`] gives.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|flavor| flavor.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            SandboxError::Unexpected(format!("there is no server '{text}'; there are {names}"))
        })
    }
}
