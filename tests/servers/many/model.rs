//! What a session must find, kept by itself.

use std::collections::BTreeMap;

use mysql_async::Statement;

/// Schemas that sessions are in. Each has the same tables, and one that says its name.
pub(super) const SCHEMAS: [&str; 5] = ["app", "many_a", "many_b", "many_c", "many_d"];

/// Run on the server beforehand.
pub(super) fn setup() -> Vec<String> {
    let mut all = Vec::new();
    for schema in SCHEMAS {
        if schema != "app" {
            all.push(format!("CREATE DATABASE {schema}"));
            all.push(format!("GRANT ALL ON {schema}.* TO app@'%'"));
        }
        all.push(format!("CREATE TABLE {schema}.whoami (name VARCHAR(20))"));
        all.push(format!("INSERT INTO {schema}.whoami VALUES ('{schema}')"));
        all.push(format!(
            "CREATE TABLE {schema}.rows_of (id INT AUTO_INCREMENT PRIMARY KEY, owner INT, note VARCHAR(40), KEY (owner))"
        ));
        all.push(format!("CREATE PROCEDURE {schema}.doubles(IN a BIGINT, OUT b BIGINT) SET b = a * 2"));
    }
    all
}

/// A random number generator, so that a run can be had again from its seed (xorshift64*).
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// Below `limit`; 0 for none.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        if limit == 0 { 0 } else { self.next() % limit }
    }

    pub(super) fn one_of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len() as u64) as usize]
    }
}

/// A binary prepared statement.
pub(super) struct Binary {
    pub(super) statement: Statement,
    pub(super) label: String,
    /// The schema that it was prepared in.
    pub(super) schema: &'static str,
}

/// A session as it must be.
#[derive(Default)]
pub(super) struct Model {
    pub(super) schema: &'static str,
    /// System variables that are looked at, with what the server shows of each.
    pub(super) system: BTreeMap<&'static str, String>,
    /// User variables without `@`; NULL is `None`.
    pub(super) user: BTreeMap<String, Option<String>>,
    pub(super) binary: Vec<Binary>,
    /// SQL-level statements: label and schema of each.
    pub(super) prepared: BTreeMap<String, (String, &'static str)>,
    pub(super) last_insert_id: Option<u64>,
    /// Rows of this session, by schema.
    pub(super) rows: BTreeMap<&'static str, u64>,
}

impl Model {
    /// The session was reset: what lasts is its schema, and what it wrote.
    pub(super) fn reset(&mut self, system: BTreeMap<&'static str, String>) {
        let rows = std::mem::take(&mut self.rows);
        *self = Self { schema: self.schema, system, rows, ..Self::default() };
        self.last_insert_id = Some(0);
    }
}

/// System variables that are set and looked at.
pub(super) const SYSTEM: [&str; 12] = [
    "group_concat_max_len",
    "div_precision_increment",
    "lock_wait_timeout",
    "net_write_timeout",
    "time_zone",
    "sql_mode",
    "character_set_client",
    "character_set_results",
    "collation_connection",
    "sql_safe_updates",
    "max_sort_length",
    "foreign_key_checks",
];
