use std::{collections::BTreeMap, fmt::Write, net::SocketAddr, path::PathBuf};

use crate::servers::{Cluster, MONITOR_USER, REPLICATION_USER};

/// How the proxy is started.
#[derive(Clone, Debug)]
pub struct ProxyOptions {
    /// The `tideover` binary.
    pub program: PathBuf,
    /// Environment variables of the process, beside those of this one.
    pub environment: Vec<(String, String)>,
    tables: BTreeMap<String, BTreeMap<String, String>>,
}

impl ProxyOptions {
    /// The least that works in front of a cluster; logs at level `info`.
    pub fn new(program: impl Into<PathBuf>, cluster: &Cluster) -> Self {
        let servers: Vec<_> =
            cluster.addresses().iter().map(|address| quoted(&address.to_string())).collect();
        Self { program: program.into(), environment: Vec::new(), tables: BTreeMap::new() }
            .set("cluster", "servers", format!("[{}]", servers.join(", ")))
            .set("monitor", "user", quoted(MONITOR_USER))
            .set("monitor", "password", quoted(MONITOR_USER))
            .set("switchover", "replication_user", quoted(REPLICATION_USER))
            .set("switchover", "replication_password", quoted(REPLICATION_USER))
    }

    /// Sets a key of a table of the configuration; `value` is TOML, as in `set("hold", "timeout", "\"3s\"")`. The empty
    /// table is the top of the file. A later value for the same key wins.
    #[must_use]
    pub fn set(mut self, table: &str, key: &str, value: impl Into<String>) -> Self {
        self.tables.entry(table.to_owned()).or_default().insert(key.to_owned(), value.into());
        self
    }

    /// Leaves a key out that is there otherwise.
    #[must_use]
    pub fn without(mut self, table: &str, key: &str) -> Self {
        if let Some(keys) = self.tables.get_mut(table) {
            keys.remove(key);
        }
        self
    }

    /// Sets an environment variable of the process.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The configuration file, for the given ports. A `listen` that was set by hand stays.
    pub(crate) fn file(&self, clients: SocketAddr, admin: SocketAddr) -> String {
        let listen = format!("[{}]", quoted(&clients.to_string()));
        let defaults = [("", "listen", listen), ("admin", "listen", quoted(&admin.to_string()))];
        let mut tables = self.tables.clone();
        for (table, key, value) in defaults {
            tables.entry(table.to_owned()).or_default().entry(key.to_owned()).or_insert(value);
        }
        let mut text = String::new();
        for (table, keys) in &tables {
            if !table.is_empty() {
                let _ = writeln!(text, "\n[{table}]");
            }
            for (key, value) in keys {
                let _ = writeln!(text, "{key} = {value}");
            }
        }
        text
    }
}

/// A TOML string. Nothing here holds quotes, backslashes or control characters.
fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}
