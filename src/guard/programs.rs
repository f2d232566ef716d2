//! Stored procedures: whether a CALL may be put between BEGIN and COMMIT, known from the data dictionary.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::backend::{Control, ControlError};
use crate::sql::Dialect;
use crate::sql::program::{Name, Program, keeps_open, program};
use crate::topology::{Flavor, ServerId};

/// What was read is believed for this long; a procedure that is altered may be wrongly put between BEGIN and COMMIT until
/// then. Before a CALL is run again, what was read is read anew.
const BELIEVED: Duration = Duration::from_secs(10);
/// Procedures remembered. Beyond that all are forgotten.
const KEPT: usize = 1000;
/// Procedures that one calls, and those that these call.
const REACHED: usize = 20;

/// What all that a procedure runs amounts to: the same number as long as nothing of it is altered.
pub type Identity = u64;

type Verdict = Result<Identity, String>;

/// What was read, by server, schema and name.
#[derive(Debug, Default)]
pub(super) struct Programs {
    known: Mutex<HashMap<(ServerId, Name), (Instant, Verdict)>>,
    /// Whether a transaction that calls it is certainly open still behind it.
    keeping: Mutex<HashMap<(ServerId, Name), (Instant, bool)>>,
}

impl Programs {
    /// What is known of a procedure, if that is fresh enough.
    pub(super) fn known(&self, server: ServerId, name: &Name, now: Instant) -> Option<Verdict> {
        let known = self.known.lock();
        let (since, verdict) = known.get(&(server, name.clone()))?;
        (now.saturating_duration_since(*since) < BELIEVED).then(|| verdict.clone())
    }

    pub(super) fn learn(&self, (server, name): (ServerId, Name), verdict: Verdict, now: Instant) {
        let mut known = self.known.lock();
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert((server, name), (now, verdict));
    }
}

impl Programs {
    /// Whether a procedure ends no transaction, if that is known and fresh enough.
    pub(super) fn keeps(&self, server: ServerId, name: &Name, now: Instant) -> Option<bool> {
        let keeping = self.keeping.lock();
        let (since, keeps) = keeping.get(&(server, name.clone()))?;
        (now.saturating_duration_since(*since) < BELIEVED).then_some(*keeps)
    }

    pub(super) fn learn_keeps(&self, (server, name): (ServerId, Name), keeps: bool, now: Instant) {
        let mut keeping = self.keeping.lock();
        if keeping.len() >= KEPT {
            keeping.clear();
        }
        keeping.insert((server, name), (now, keeps));
    }
}

/// Reads a procedure and all that it calls: whether none of them can end a transaction.
pub(super) async fn read_keeps(
    control: &mut Control,
    name: &Name,
    within: Duration,
) -> Result<bool, ControlError> {
    let mut reached = vec![name.clone()];
    let mut at = 0;
    while let Some(name) = reached.get(at).cloned() {
        at += 1;
        let Ok(row) = row_of(control, &name, within).await? else { return Ok(false) };
        let calls = keeps_open(&row.body, dialect_of(control));
        let Some(calls) = calls.filter(|_| reached.len() <= REACHED) else { return Ok(false) };
        for called in calls {
            let called = Name { schema: called.schema.or_else(|| name.schema.clone()), ..called };
            if !reached.contains(&called) {
                reached.push(called);
            }
        }
    }
    Ok(true)
}

/// Reads a procedure and all that it calls. The inner error says why it must not be put between BEGIN and COMMIT.
pub(super) async fn read(
    control: &mut Control,
    name: &Name,
    within: Duration,
) -> Result<Verdict, ControlError> {
    let mut identity = DefaultHasher::new();
    let mut reached = vec![name.clone()];
    let mut writes = Vec::new();
    let mut at = 0;
    while let Some(name) = reached.get(at).cloned() {
        at += 1;
        let body = match read_one(control, &name, within).await? {
            Ok((body, stamp)) => {
                (&name, stamp).hash(&mut identity);
                body
            }
            Err(why) => return Ok(Err(why)),
        };
        let own = |found: Name| Name { schema: found.schema.or_else(|| name.schema.clone()), ..found };
        writes.extend(body.writes.into_iter().map(own));
        for called in body.calls.into_iter().map(own) {
            if !reached.contains(&called) {
                reached.push(called);
            }
        }
        if reached.len() > REACHED {
            return Ok(Err(format!("it calls more than {REACHED} other procedures")));
        }
    }
    writes.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
    writes.dedup();
    for table in &writes {
        if !is_transactional(control, table, within).await? {
            return Ok(Err(format!("it writes to {}, which is not known to be an InnoDB table", table.name)));
        }
    }
    Ok(Ok(identity.finish()))
}

/// One procedure's body, and what changes when it is altered.
async fn read_one(
    control: &mut Control,
    name: &Name,
    within: Duration,
) -> Result<Result<(Program, Vec<Option<String>>), String>, ControlError> {
    let row = match row_of(control, name, within).await? {
        Ok(row) => row,
        Err(why) => return Ok(Err(why)),
    };
    let found = program(&row.body, &row.parameters, dialect_of(control));
    Ok(found.map(|found| (found, row.stamp)))
}

/// How the bodies that we read are written.
fn dialect_of(control: &Control) -> Dialect {
    Dialect { mariadb: control.flavor() == Flavor::MariaDb, multibyte_unsafe: false, ..Dialect::default() }
}

/// What the data dictionary says of a procedure.
struct Row {
    body: Vec<u8>,
    parameters: Vec<String>,
    stamp: Vec<Option<String>>,
}

async fn row_of(
    control: &mut Control,
    name: &Name,
    within: Duration,
) -> Result<Result<Row, String>, ControlError> {
    let schema = name.schema.as_deref().unwrap_or_default();
    let (schema, routine) = (text(schema), text(&name.name));
    let sql = format!(
        "SELECT routine_definition, sql_mode, routine_body, created, last_altered, \
         (SELECT GROUP_CONCAT(parameter_name) FROM information_schema.parameters \
         WHERE specific_schema = {schema} AND specific_name = {routine} AND routine_type = 'PROCEDURE') \
         FROM information_schema.routines \
         WHERE routine_schema = {schema} AND routine_name = {routine} AND routine_type = 'PROCEDURE'"
    );
    let rows = match control.query(&sql, within).await {
        Err(error) if error.is_fatal() => return Err(error),
        Err(error) => return Ok(Err(error.to_string())),
        Ok(rows) => rows,
    };
    let Some(row) = rows.first() else {
        return Ok(Err(format!("the monitor account cannot see the procedure {}", name.name)));
    };
    let Some(body) = row.bytes(0) else {
        return Ok(Err(format!("the monitor account may not read the body of the procedure {}", name.name)));
    };
    let mode = row.at(1).unwrap_or_default();
    let odd = ["ORACLE", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES"].iter().find(|odd| mode.contains(**odd));
    if odd.is_some() || row.at(2).as_deref() != Some("SQL") {
        return Ok(Err("it was written in another dialect (sql_mode)".to_owned()));
    }
    let parameters = row.at(5).unwrap_or_default().split(',').map(str::to_owned).collect();
    let stamp = (0..6).map(|at| row.at(at)).collect();
    Ok(Ok(Row { body: body.to_vec(), parameters, stamp }))
}

/// Whether a table is InnoDB's. Views are not; nor, for us, are names that the file system cannot hold as they are.
async fn is_transactional(
    control: &mut Control,
    table: &Name,
    within: Duration,
) -> Result<bool, ControlError> {
    let schema = table.schema.as_deref().unwrap_or_default();
    let plain = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !plain(schema) || !plain(&table.name) {
        return Ok(false);
    }
    let tables = match control.flavor() {
        Flavor::MariaDb => "innodb_sys_tables",
        Flavor::MySql => "innodb_tables",
    };
    let name = text(&format!("{schema}/{}", table.name));
    let partitions = text(&format!("{}/{}#", schema, table.name).replace('_', "\\_"));
    let sql = format!(
        "SELECT COUNT(*) FROM information_schema.{tables} WHERE name = {name} \
         OR name LIKE CONCAT({partitions}, '%')"
    );
    match control.query(&sql, within).await {
        Err(error) if error.is_fatal() => Err(error),
        Err(_) => Ok(false),
        Ok(rows) => Ok(rows.scalar().is_some_and(|count| count != "0")),
    }
}

/// A literal that needs no quoting.
fn text(value: &str) -> String {
    let hex: String = value.bytes().map(|b| format!("{b:02x}")).collect();
    format!("_utf8mb4 x'{hex}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_read_is_believed_for_a_while() {
        let (programs, now) = (Programs::default(), Instant::now());
        let name = Name { schema: Some("app".to_owned()), name: "p".to_owned() };
        assert_eq!(programs.known(ServerId(0), &name, now), None);
        programs.learn((ServerId(0), name.clone()), Ok(7), now);
        assert_eq!(programs.known(ServerId(0), &name, now), Some(Ok(7)));
        assert_eq!(programs.known(ServerId(1), &name, now), None);
        assert_eq!(programs.known(ServerId(0), &name, now + BELIEVED), None);
    }
}
