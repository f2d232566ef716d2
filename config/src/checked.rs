use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::address::{ListenAddress, Network};
use super::kind::{List, Listen, Net, Number, Size, time};
use super::section::{Applies, Entry, Reader, Section};
use super::tree::{Raw, Table};
use super::{
    Admin, Auth, Cluster, Failover, Guard, Hold, Log, Monitor, Pool, Replay, Routing, Runtime, ServerTls,
    Shutdown, Switchover, Tls,
};

/// A configuration that was read, checked and completed with defaults. Nothing in it needs checking again.
#[derive(Debug, Clone)]
pub struct Config {
    /// `listen`: where clients are served, at least one.
    pub listen: Vec<ListenAddress>,
    /// `max_connections`: clients at most; more are refused with error 1040.
    pub max_connections: usize,
    /// `login_timeout`: a client must have logged in within this time.
    pub login_timeout: Duration,
    /// `max_packet`: the largest command of a client, bytes, as the servers' `max_allowed_packet`.
    pub max_packet: u64,
    /// `proxy_protocol_networks`: who may say with a PROXY header whose connection it is.
    pub proxy_protocol_networks: Vec<Network>,
    /// `[cluster]`
    pub cluster: Cluster,
    /// `[monitor]`
    pub monitor: Monitor,
    /// `[admin]`
    pub admin: Admin,
    /// `[auth]` and `[[user]]`
    pub auth: Auth,
    /// `[tls]`
    pub tls: Tls,
    /// `[server_tls]`
    pub server_tls: ServerTls,
    /// `[pool]`
    pub pool: Pool,
    /// `[routing]`
    pub routing: Routing,
    /// `[switchover]`
    pub switchover: Switchover,
    /// `[hold]`
    pub hold: Hold,
    /// `[replay]`
    pub replay: Replay,
    /// `[guard]`
    pub guard: Guard,
    /// `[failover]`
    pub failover: Failover,
    /// `[shutdown]`
    pub shutdown: Shutdown,
    /// `[runtime]`
    pub runtime: Runtime,
    /// `[log]`
    pub log: Log,
    pub(crate) entries: BTreeMap<String, Entry>,
}

impl Config {
    /// Reads a whole tree. Problems are left with the reader; the configuration counts only if there is none.
    pub(crate) fn read(reader: &mut Reader, mut root: Table) -> Self {
        let users = list(reader, &mut root, "user");
        let reads = (list(reader, &mut root, "server"), list(reader, &mut root, "route"));
        let mut config = Self {
            listen: Vec::new(),
            max_connections: 0,
            login_timeout: Duration::ZERO,
            max_packet: 0,
            proxy_protocol_networks: Vec::new(),
            cluster: Cluster::read(Section::open(reader, &mut root, "cluster")),
            monitor: Monitor::read(Section::open(reader, &mut root, "monitor")),
            admin: Admin::read(Section::open(reader, &mut root, "admin")),
            auth: Auth::read(Section::open(reader, &mut root, "auth"), users),
            tls: Tls::read(Section::open(reader, &mut root, "tls")),
            server_tls: ServerTls::read(Section::open(reader, &mut root, "server_tls")),
            pool: Pool::read(Section::open(reader, &mut root, "pool")),
            routing: Routing::read(Section::open(reader, &mut root, "routing"), reads),
            switchover: Switchover::read(Section::open(reader, &mut root, "switchover")),
            hold: Hold::read(Section::open(reader, &mut root, "hold")),
            replay: Replay::read(Section::open(reader, &mut root, "replay")),
            guard: Guard::read(Section::open(reader, &mut root, "guard")),
            failover: Failover::read(Section::open(reader, &mut root, "failover")),
            shutdown: Shutdown::read(Section::open(reader, &mut root, "shutdown")),
            runtime: Runtime::read(Section::open(reader, &mut root, "runtime")),
            log: Log::read(Section::open(reader, &mut root, "log")),
            entries: BTreeMap::new(),
        };
        config.top_level(reader, root);
        config.entries = std::mem::take(&mut reader.entries);
        config
    }

    fn top_level(&mut self, reader: &mut Reader, mut root: Table) {
        // Tables that nobody took are unknown, and the names of tables are worth suggesting for them.
        let tables: Vec<String> = root
            .iter()
            .filter(|(_, node)| match &node.raw {
                Raw::Table(_) => true,
                Raw::List(items) => items.iter().any(|item| matches!(item.raw, Raw::Table(_))),
                _ => false,
            })
            .map(|(key, _)| key.clone())
            .collect();
        for name in tables {
            if let Some(node) = root.remove(&name) {
                let near = super::nearest::nearest(&name, TABLES.iter().copied());
                let hint = near.map_or_else(
                    || format!("known are {}", TABLES.join(", ")),
                    |near| format!("did you mean [{near}]?"),
                );
                let message = format!("unknown table; {hint}");
                reader.problems.push(super::Problem { place: node.place, key: name, message });
            }
        }
        let start = Applies::AtStart;
        let mut section = Section::new(reader, "", root);
        self.listen = section.required("listen", start, List(Listen)).unwrap_or_default();
        let live = Applies::Live;
        self.max_connections = section.get("max_connections", live, Number(1..=10_000_000), 10_000);
        self.login_timeout = section.get("login_timeout", live, time(1..=3_600_000), Duration::from_secs(10));
        self.max_packet = section.get("max_packet", live, Size(1_024..=1 << 30), 1 << 30);
        let networks = section.optional("proxy_protocol_networks", start, List(Net));
        self.proxy_protocol_networks = networks.unwrap_or_default();
        let mut seen = BTreeSet::new();
        for address in &self.listen {
            let any_port = matches!(address, ListenAddress::Tcp(address) if address.port() == 0);
            if !any_port && !seen.insert(address) {
                section.reader.blame("listen", format!("names \"{address}\" twice"));
            }
        }
        let admin = self.admin.listen.filter(|admin| admin.port() != 0).map(ListenAddress::Tcp);
        if admin.is_some_and(|admin| seen.contains(&admin)) {
            section.reader.blame("admin.listen", "is an address where clients are served (listen)");
        }
        for (at, share) in self.routing.servers.iter().enumerate() {
            let key = format!("server.{at}.address");
            if !self.cluster.servers.contains(&share.address) {
                section.reader.blame(&key, "is none of cluster.servers");
            }
            if self.routing.servers.iter().take(at).any(|earlier| earlier.address == share.address) {
                section.reader.blame(&key, "has a [[server]] already");
            }
        }
        let others = self.cluster.servers.len().saturating_sub(1);
        if self.failover.witnesses > others && others > 0 {
            let text = format!("is more than there can be: beside the primary there are {others} servers");
            section.reader.blame("failover.witnesses", text);
        }
        section.close();
    }
}

/// A list of tables (`[[name]]`).
fn list(reader: &mut Reader, root: &mut Table, name: &'static str) -> Vec<(super::Place, Table)> {
    let mut only = Table::new();
    if let Some(node) = root.remove(name) {
        only.insert(name.to_owned(), node);
    }
    Section::new(reader, "", only).tables(name)
}

/// All tables, for suggestions.
pub(crate) const TABLES: &[&str] = &[
    "cluster",
    "monitor",
    "admin",
    "auth",
    "user",
    "tls",
    "server_tls",
    "pool",
    "routing",
    "server",
    "route",
    "switchover",
    "hold",
    "replay",
    "guard",
    "failover",
    "shutdown",
    "runtime",
    "log",
];
