//! What a client wants to be told of its session (`session_track_…`). The servers are to report what the proxy needs, so a SET
//! of these variables is run as it is, what it came to is read, and the proxy's own choice is put back; from there on the
//! client gets of the reports what it has chosen. MariaDB Connector/J chooses at every login.

use std::sync::Arc;

use tideover_protocol::command::CommandKind;
use tideover_protocol::packet::SessionTrack;
use tideover_protocol::status::StatusFlags;

use crate::backend::{ServerConnection, Swallow};
use crate::session::{PinReason, is_state, tracker_setup};
use crate::sql::details::{self, Target};
use crate::sql::{Effects, Kind};
use crate::topology::Flavor;

use super::answer::Completion;
use super::session::Session;
use super::staying::unless_lost;
use super::work::Work;

/// Variables that both families report to clients by default (`session_track_system_variables`).
const BY_DEFAULT: [&[u8]; 5] = [
    b"autocommit",
    b"character_set_client",
    b"character_set_connection",
    b"character_set_results",
    b"time_zone",
];
/// The variables of a choice; MariaDB has no GTIDs among them.
const CHOICE: [&str; 5] = [
    "session_track_system_variables",
    "session_track_schema",
    "session_track_state_change",
    "session_track_transaction_info",
    "session_track_gtids",
];

/// What a client has chosen to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reports {
    /// Names in lower case; `*` for all.
    variables: Vec<Vec<u8>>,
    schema: bool,
    state: bool,
    characteristics: bool,
    gtids: bool,
}

impl Default for Reports {
    fn default() -> Self {
        let variables = BY_DEFAULT.map(<[u8]>::to_vec).into();
        Self { variables, schema: true, state: false, characteristics: false, gtids: false }
    }
}

impl Reports {
    /// As it is behind a SET of the variables of the choice that are `named`, which have these values now, by name. The others
    /// are as the proxy has chosen.
    fn behind(mut self, named: &[String], values: &[Vec<u8>]) -> Self {
        let is = |value: &[u8], wanted: &[u8]| value.eq_ignore_ascii_case(wanted);
        for (name, value) in CHOICE.iter().zip(values).filter(|(name, _)| named.iter().any(|n| n == *name)) {
            match name.strip_prefix("session_track_").unwrap_or_default() {
                "system_variables" => self.variables = self.listed(value),
                "schema" => self.schema = value == b"1",
                "state_change" => self.state = value == b"1",
                "transaction_info" => self.characteristics = is(value, b"CHARACTERISTICS"),
                _ => self.gtids = !is(value, b"OFF"),
            }
        }
        self
    }

    /// The names of a list. One that was made of the present one begins with the proxy's: the client means its own.
    fn listed(&self, list: &[u8]) -> Vec<Vec<u8>> {
        let names = list.split(|byte| *byte == b',');
        let names: Vec<Vec<u8>> = names.map(|name| name.trim_ascii().to_ascii_lowercase()).collect();
        let own = names.iter().position(|name| name == b"*").filter(|at| at + 1 < names.len());
        match own {
            Some(star) => self.variables.iter().chain(names.iter().skip(star + 1)).cloned().collect(),
            None => names,
        }
    }

    /// While such a SET runs: of what it names the server reports what the client wants.
    fn during(mut self, named: &[String]) -> Self {
        let names = |name: &str| named.iter().any(|n| n == name);
        let [variables, schema, state, transaction, gtids] = CHOICE.map(names);
        if variables {
            self.variables = vec![b"*".to_vec()];
        }
        self.schema |= schema;
        self.state |= state;
        self.characteristics |= transaction;
        self.gtids |= gtids;
        self
    }

    fn wants(&self, item: &SessionTrack) -> bool {
        match item {
            SessionTrack::SystemVariable { name, .. } => {
                self.variables.iter().any(|wanted| wanted == b"*" || wanted.eq_ignore_ascii_case(name))
            }
            SessionTrack::Schema(_) => self.schema,
            SessionTrack::StateChange(_) => self.state,
            SessionTrack::TransactionCharacteristics(_) => self.characteristics,
            SessionTrack::Gtids(_) => self.gtids,
            SessionTrack::TransactionState(_) | SessionTrack::Other { .. } => false,
        }
    }
}

/// Whether a client with session tracking is to be told this: by its own choice, or as by a server with default settings.
pub(super) fn is_for_client(item: &SessionTrack, chosen: Option<&Reports>) -> bool {
    match (chosen, item) {
        (Some(chosen), item) => chosen.wants(item),
        (None, SessionTrack::Schema(_)) => true,
        (None, SessionTrack::SystemVariable { name, .. }) => BY_DEFAULT.contains(&name.as_slice()),
        (None, _) => false,
    }
}

impl Session {
    /// What the client is to be told by the answer to a statement.
    pub(super) fn reports_during(&self, work: &Work) -> Option<Arc<Reports>> {
        if !work.statement.any(Effects::SETS_TRACKERS) || work.kind != CommandKind::Query {
            return self.reports.clone();
        }
        let set = assigned(work.text.of(&self.command), work)?;
        Some(Arc::new(self.chosen().during(&set.trackers)))
    }

    fn chosen(&self) -> Reports {
        self.reports.as_deref().cloned().unwrap_or_default()
    }

    /// A statement has changed what the server reports. Reads what it has left unreported, and what the client wants, and puts
    /// the proxy's choice back. Where that cannot be, nothing more is known of the connection.
    pub(super) async fn take_over_reports(&mut self, work: &Work, done: &mut Completion) {
        let plain = work.kind == CommandKind::Query
            && work.statement.kind == Kind::Set
            && !work.statement.any(Effects::SETS_FOR_STATEMENT)
            && !done.status.contains(StatusFlags::IN_TRANS)
            && self.journal.is_none()
            && !self.wrap.open
            && done.most_warnings == 0
            && !self.tracker.pins().contains(PinReason::FoundRows);
        let set = if plain { assigned(work.text.of(&self.command), work) } else { None };
        let Some(Assigned { trackers, others, .. }) = set.filter(|set| set.reportable) else { return };
        let (before, patience) = (self.chosen(), self.own_patience());
        let mariadb = self.flavor() == Flavor::MariaDb;
        let Some(lease) = self.lease.as_mut().filter(|lease| !lease.reading) else { return };
        let first = CHOICE.len() - usize::from(mariadb);
        let read = CHOICE.iter().take(first).copied().chain(others.iter().map(String::as_str));
        let columns: Vec<String> = read.map(|name| format!("@@SESSION.`{name}`")).collect();
        let sql = format!("SELECT {} LIMIT 1", columns.join(","));
        let row = match unless_lost(&patience, lease.query_row(&sql, columns.len())).await {
            Ok(row) => row,
            // There is no such variable to be read.
            Err(error) if ServerConnection::refusal(&error).is_some() => return,
            Err(_) => {
                lease.broken = true;
                return;
            }
        };
        self.here.found_rows = false;
        let (Some(choice), Some(values)) = (row.get(..first), row.get(first..)) else { return };
        if !row.iter().flatten().all(|byte| (b' '..0x7f).contains(byte)) {
            return;
        }
        match unless_lost(&patience, lease.query(tracker_setup(mariadb))).await {
            Ok(Swallow::Done(_)) => {}
            _ => {
                lease.broken = true;
                return;
            }
        }
        for (name, value) in others.iter().zip(values) {
            let report =
                SessionTrack::SystemVariable { name: name.clone().into_bytes(), value: value.clone() };
            done.track.push(report);
        }
        self.reports = Some(Arc::new(before.behind(&trackers, choice)));
        done.is_reported = true;
    }
}

/// The session variables that a SET names.
struct Assigned {
    /// Those of [`CHOICE`].
    trackers: Vec<String>,
    /// All others.
    others: Vec<String>,
    /// The others can all be read, and nothing else is set that servers may not report.
    reportable: bool,
}

fn assigned(text: &[u8], work: &Work) -> Option<Assigned> {
    let mut found = Assigned { trackers: Vec::new(), others: Vec::new(), reportable: true };
    for assignment in details::assignments(text, work.dialect)? {
        match assignment.target {
            Target::Session(name) if name.starts_with("session_track_") => found.trackers.push(name),
            Target::Session(name) => {
                let word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
                found.reportable &= word && is_state(name.as_bytes());
                found.others.push(name);
            }
            Target::User(_) => {}
            Target::Elsewhere | Target::CharacterSet => found.reportable = false,
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str) -> SessionTrack {
        SessionTrack::SystemVariable { name: name.as_bytes().to_vec(), value: b"1".to_vec() }
    }

    #[test]
    fn what_a_client_is_told() {
        let choice = |list: &str, rest: [&str; 4]| {
            let mut values = vec![list.as_bytes().to_vec()];
            values.extend(rest.iter().map(|value| value.as_bytes().to_vec()));
            Reports::default().behind(&CHOICE.map(str::to_owned), &values)
        };
        let few = choice("auto_increment_increment, Time_Zone", ["0", "0", "OFF", "OWN_GTID"]);
        let all = choice("*", ["1", "1", "CHARACTERISTICS", "OFF"]);
        let none = choice("", ["1", "0", "STATE", "OFF"]);
        for (item, wanted) in [
            (variable("auto_increment_increment"), [false, true, true, false]),
            (variable("time_zone"), [true, true, true, false]),
            (variable("autocommit"), [true, false, true, false]),
            (SessionTrack::Schema(b"a".to_vec()), [true, false, true, true]),
            (SessionTrack::StateChange(true), [false, false, true, false]),
            (SessionTrack::TransactionCharacteristics(Vec::new()), [false, false, true, false]),
            (SessionTrack::Gtids(b"x:1".to_vec()), [false, true, false, false]),
        ] {
            let told = [None, Some(&few), Some(&all), Some(&none)].map(|chosen| is_for_client(&item, chosen));
            assert_eq!(told, wanted, "{item:?}");
        }
    }

    #[test]
    fn what_is_not_named_stays() {
        let values = ["last_gtid,autocommit,*,max_join_size", "0", "1", "CHARACTERISTICS", "OWN_GTID"];
        let values = values.map(|value| value.as_bytes().to_vec());
        let named = |names: &[&str]| -> Vec<String> { names.iter().map(|name| (*name).to_owned()).collect() };
        let schema = named(&["session_track_schema"]);
        let without = Reports { schema: false, ..Reports::default() };
        assert_eq!(Reports::default().behind(&schema, &values), without);
        assert!(without.clone().during(&schema).schema);
        let list = named(&["session_track_system_variables"]);
        let longer = without.behind(&list, &values);
        let told = |name: &str| is_for_client(&variable(name), Some(&longer));
        assert_eq!(
            ["autocommit", "time_zone", "max_join_size", "sql_mode"].map(told),
            [true, true, true, false]
        );
    }
}
