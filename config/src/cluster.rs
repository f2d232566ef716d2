use std::collections::BTreeSet;

use super::address::ServerAddress;
use super::kind::{List, Server};
use super::section::{Applies, Section};

/// `[cluster]`: the servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// `servers`: all of them in any order, at least one; roles are discovered.
    pub servers: Vec<ServerAddress>,
}

impl Cluster {
    pub(crate) fn read(mut section: Section<'_>) -> Self {
        let servers = section.required("servers", Applies::AtStart, List(Server)).unwrap_or_default();
        let mut seen = BTreeSet::new();
        for server in &servers {
            if !seen.insert(server) {
                section.reader.blame("cluster.servers", format!("names \"{server}\" twice"));
            }
        }
        section.close();
        Self { servers }
    }
}
