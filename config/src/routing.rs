use std::time::Duration;

use super::address::ServerAddress;
use super::kind::{Choice, Flag, Number, Server, Text, time};
use super::section::{Applies, Reader, Section};
use super::tree::Table;
use super::{Place, Problem};

/// Who serves reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// Replicas where that is invisible, else the primary.
    Replicas,
    /// The primary.
    Primary,
}

/// What a read on a replica must have seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// The session's own writes.
    Session,
    /// Nothing in particular, `max_lag` apart.
    Eventual,
    /// Everything that is committed: the primary serves.
    Strong,
}

/// Who serves a read for which no replica is to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// The primary.
    Primary,
    /// A replica, as soon as there is one.
    Wait,
    /// Nobody: the client gets an error.
    Error,
}

/// `[routing]`: where statements go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routing {
    /// `reads`.
    pub reads: Reads,
    /// `consistency`.
    pub consistency: Consistency,
    /// `max_lag`: replicas further behind get no reads.
    pub max_lag: Duration,
    /// `wait`: a replica that lacks what the session must see is waited for at most this long.
    pub wait: Duration,
    /// `fallback`: who serves a read if no replica can within `wait`.
    pub fallback: Fallback,
    /// `slow_start`: a replica that comes back has its full share of reads after this time.
    pub slow_start: Duration,
    /// `zone`: where the proxy is; replicas in the same zone are preferred.
    pub zone: Option<String>,
    /// `[[server]]`: what is said of single servers.
    pub servers: Vec<ServerShare>,
    /// `[[route]]`: in their order, the first that fits decides.
    pub rules: Vec<RouteRule>,
}

/// `[[server]]`: one server's part in serving reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerShare {
    /// `address`: one of `cluster.servers`.
    pub address: ServerAddress,
    /// `weight`: its share of reads; 100 is ordinary.
    pub weight: u32,
    /// `zone`: where it is.
    pub zone: Option<String>,
    /// `maintenance`: it gets no reads.
    pub maintenance: bool,
}

/// `[[route]]`: where some reads go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteRule {
    /// `user`: only those of this account.
    pub user: Option<String>,
    /// `schema`: only those with this default schema.
    pub schema: Option<String>,
    /// `pattern`: only texts like this, in which `*` stands for anything.
    pub pattern: Option<String>,
    /// `to`: where they go, if nothing in them speaks against a replica.
    pub to: Reads,
}

const READS: &[(&str, Reads)] = &[("replicas", Reads::Replicas), ("primary", Reads::Primary)];
const CONSISTENCY: &[(&str, Consistency)] = &[
    ("session", Consistency::Session),
    ("eventual", Consistency::Eventual),
    ("strong", Consistency::Strong),
];

const FALLBACK: &[(&str, Fallback)] =
    &[("primary", Fallback::Primary), ("wait", Fallback::Wait), ("error", Fallback::Error)];

const TO: &[(&str, Reads)] = &[("replica", Reads::Replicas), ("primary", Reads::Primary)];

impl Routing {
    pub(crate) fn read(mut section: Section<'_>, (servers, rules): (Tables, Tables)) -> Self {
        let start = Applies::AtStart;
        let mut routing = Self {
            reads: section.get("reads", start, Choice(READS), Reads::Primary),
            consistency: section.get("consistency", start, Choice(CONSISTENCY), Consistency::Session),
            max_lag: section.get("max_lag", start, time(0..=86_400_000), Duration::from_secs(10)),
            wait: section.get("wait", start, time(0..=10_000), Duration::from_millis(10)),
            fallback: section.get("fallback", start, Choice(FALLBACK), Fallback::Primary),
            slow_start: section.get("slow_start", start, time(0..=3_600_000), Duration::from_secs(10)),
            zone: section.optional("zone", start, ZONE),
            servers: Vec::new(),
            rules: Vec::new(),
        };
        let servers = servers.into_iter().enumerate();
        routing.servers =
            servers.filter_map(|(at, (_, table))| ServerShare::read(section.reader, at, table)).collect();
        let rules = rules.into_iter().enumerate();
        routing.rules = rules
            .filter_map(|(at, (place, table))| RouteRule::read(section.reader, at, place, table))
            .collect();
        section.close();
        routing
    }
}

/// A list of tables, each with its place.
pub(crate) type Tables = Vec<(Place, Table)>;

const ZONE: Text = Text("the name of a zone in quotes");

impl ServerShare {
    fn read(reader: &mut Reader, index: usize, table: Table) -> Option<Self> {
        let start = Applies::AtStart;
        let mut section = Section::new(reader, &format!("server.{index}"), table);
        let address = section.required("address", start, Server);
        let weight = section.get("weight", start, Number(1..=1000), 100);
        let zone = section.optional("zone", start, ZONE);
        let maintenance = section.get("maintenance", start, Flag, false);
        section.close();
        Some(Self { address: address?, weight: u32::try_from(weight).unwrap_or(100), zone, maintenance })
    }
}

impl RouteRule {
    fn read(reader: &mut Reader, index: usize, place: Place, table: Table) -> Option<Self> {
        let start = Applies::AtStart;
        let names_none = ["user", "schema", "pattern"].iter().all(|key| !table.contains_key(*key));
        let mut section = Section::new(reader, &format!("route.{index}"), table);
        let text = |section: &mut Section<'_>, key| section.optional(key, start, Text("text in quotes"));
        let user = text(&mut section, "user");
        let schema = text(&mut section, "schema");
        let pattern = text(&mut section, "pattern");
        let to = section.required("to", start, Choice(TO));
        if names_none {
            let message = "names neither user, schema nor pattern; routing.reads is for all".to_owned();
            section.reader.problems.push(Problem { place, key: format!("route.{index}"), message });
        }
        section.close();
        Some(Self { user, schema, pattern, to: to? })
    }
}
