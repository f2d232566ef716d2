//! One client session, and the comparing of what it is told.

use std::collections::BTreeMap;

use mysql_async::{Conn, OptsBuilder, Row, Value, prelude::Queryable};

use super::model::{Model, Random, SYSTEM};
use crate::support::{TestResult, code, open};

/// Steps of one turn at most.
const MOST_STEPS: u64 = 6;

pub(super) struct Member {
    pub(super) number: u64,
    pub(super) connection: Conn,
    pub(super) model: Model,
    pub(super) random: Random,
    /// Answers compared since this was last taken.
    pub(super) compared: u64,
    /// What a newcomer has, and who has reset its session.
    pub(super) fresh: BTreeMap<&'static str, String>,
    /// What was sent in this turn.
    pub(super) sent: Vec<String>,
    /// Makes every text of a session another.
    labels: u64,
}

impl Member {
    pub(super) async fn connect(
        number: u64,
        options: OptsBuilder,
        schema: &'static str,
        random: Random,
    ) -> TestResult<Self> {
        let connection = open(options).await?;
        let model = Model { schema, last_insert_id: Some(0), ..Model::default() };
        let mut member = Self {
            number,
            connection,
            model,
            random,
            compared: 0,
            fresh: BTreeMap::new(),
            sent: Vec::new(),
            labels: 0,
        };
        let row = member.row(&system_query()).await?;
        let values = SYSTEM.into_iter().zip(row.into_iter().map(Option::unwrap_or_default));
        member.fresh = values.collect();
        member.model.system = member.fresh.clone();
        member.learn_reset().await?;
        Ok(member)
    }

    /// MySQL's COM_RESET_CONNECTION takes the global character sets, and not those of the login.
    async fn learn_reset(&mut self) -> TestResult {
        const NAMES: [&str; 3] = ["character_set_client", "character_set_results", "collation_connection"];
        let globals = NAMES.map(|name| format!("@@global.{name}")).join(",");
        let mut row = self.row(&format!("SELECT {globals}, VERSION()")).await?;
        if row.pop().flatten().is_some_and(|version| !version.contains("MariaDB")) {
            self.fresh.extend(NAMES.into_iter().zip(row.into_iter().map(Option::unwrap_or_default)));
        }
        Ok(())
    }

    /// Some steps and a look at everything. `may_keep`: it may hold on to a server connection meanwhile.
    pub(super) async fn turn(&mut self, may_keep: bool) -> TestResult {
        self.sent.clear();
        let steps = 1 + self.random.below(MOST_STEPS);
        let turn = async {
            for _ in 0..steps {
                self.step(may_keep).await?;
            }
            if self.random.below(3) == 0 { self.look().await } else { Ok(()) }
        };
        let ended = turn.await;
        ended.map_err(|error: Box<dyn std::error::Error + Send + Sync>| {
            format!("{error}\n    after: {}", self.sent.join("; ")).into()
        })
    }

    /// Compares everything that can be asked for.
    pub(super) async fn look(&mut self) -> TestResult {
        let names: Vec<String> = self.model.user.keys().cloned().collect();
        let users: String = names.iter().map(|name| format!(",@{name}")).collect();
        let sql = format!("{},DATABASE(),{}{users}", system_query(), self.number);
        let mut wanted: Vec<Option<String>> =
            SYSTEM.iter().map(|name| self.model.system.get(name).cloned()).collect();
        wanted.push(Some(self.model.schema.to_owned()));
        wanted.push(Some(self.number.to_string()));
        wanted.extend(names.iter().map(|name| self.model.user[name].clone()));
        self.expect(&sql, &wanted).await
    }

    /// A name for a text that no other text has.
    pub(super) fn label(&mut self) -> String {
        self.labels += 1;
        format!("s{}-{}", self.number, self.labels)
    }

    /// Runs a statement without an answer of interest.
    pub(super) async fn run(&mut self, sql: &str) -> TestResult {
        self.sent.push(sql.to_owned());
        self.connection.query_drop(sql).await.map_err(|error| format!("{sql}: {error}"))?;
        self.compared += 1;
        Ok(())
    }

    /// The one row that a text gives.
    pub(super) async fn row(&mut self, sql: &str) -> TestResult<Vec<Option<String>>> {
        self.sent.push(sql.to_owned());
        let rows: Vec<Row> = self.connection.query(sql).await.map_err(|error| format!("{sql}: {error}"))?;
        self.one(sql, rows)
    }

    /// One row, as texts.
    pub(super) fn one(&mut self, what: &str, mut rows: Vec<Row>) -> TestResult<Vec<Option<String>>> {
        self.compared += 1;
        match (rows.pop(), rows.is_empty()) {
            (Some(row), true) => Ok(row.unwrap().into_iter().map(text).collect()),
            (last, _) => Err(format!("{what}: {} rows", rows.len() + usize::from(last.is_some())).into()),
        }
    }

    /// A text must give exactly this row.
    pub(super) async fn expect(&mut self, sql: &str, wanted: &[Option<String>]) -> TestResult {
        let found = self.row(sql).await?;
        same(sql, &found, wanted)
    }

    /// The same, of values that are all texts.
    pub(super) async fn says(&mut self, sql: &str, wanted: &[&str]) -> TestResult {
        let wanted: Vec<Option<String>> = wanted.iter().map(|value| Some((*value).to_owned())).collect();
        self.expect(sql, &wanted).await
    }

    /// A text must be refused with this number, and a message that names `word`.
    pub(super) async fn fails(&mut self, sql: &str, number: u16, word: &str) -> TestResult {
        self.sent.push(sql.to_owned());
        self.compared += 1;
        match self.connection.query_drop(sql).await {
            Ok(()) => Err(format!("{sql}: was not refused").into()),
            Err(error) => match code(&error) {
                (found, message) if found == number && message.contains(word) => Ok(()),
                (found, message) => {
                    Err(format!("{sql}: refused with {found} {message}, and not with {number}").into())
                }
            },
        }
    }
}

fn system_query() -> String {
    let names = SYSTEM.map(|name| format!("@@session.{name}"));
    format!("SELECT {}", names.join(","))
}

pub(super) fn same(what: &str, found: &[Option<String>], wanted: &[Option<String>]) -> TestResult {
    if found == wanted {
        return Ok(());
    }
    let differing = found.iter().zip(wanted).enumerate().filter(|(_, (found, wanted))| found != wanted);
    let differing: Vec<String> =
        differing.map(|(at, (found, wanted))| format!("[{at}] {found:?} and not {wanted:?}")).collect();
    Err(format!("{what}: {} columns of {}; {}", found.len(), wanted.len(), differing.join(", ")).into())
}

pub(super) fn text(value: Value) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Value::Int(number) => Some(number.to_string()),
        Value::UInt(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}
