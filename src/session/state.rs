use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::sql_prepare::SqlStatement;
use crate::sql::Dialect;

/// What a server says about a session in an OK packet, mapped by the caller from the protocol's own types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'a> {
    /// A system variable and its value now, in the server's spelling.
    Variable {
        /// Its name.
        name: &'a [u8],
        /// Its value; NULL comes as an empty value.
        value: &'a [u8],
    },
    /// The default schema now; empty if there is none (it was dropped).
    Schema(&'a [u8]),
    /// Something of the session changed that need not be a variable (`session_track_state_change`).
    State,
    /// The characteristics of the next or current transaction (`session_track_transaction_info`), as the
    /// statements that set them; empty once they have been used up.
    Characteristics(&'a [u8]),
}

/// What must be rebuilt on another server connection for a session to go on there: schema, role, system variables, user
/// variables and SQL-level prepared statements.
///
/// A variable that is not here has the value a new connection has. Names are kept in lower case. Variables that
/// share one setting (a character set and its collation, old and new spellings) share one entry.
///
/// Copies share what is in it until one of them changes: most sessions are what new connections are, and a connection is
/// what its session is.
#[derive(Debug, Clone, Default)]
pub struct SessionState {
    schema: Option<Vec<u8>>,
    settings: Arc<BTreeMap<Vec<u8>, Setting>>,
    users: Arc<BTreeMap<String, String>>,
    /// What follows SET ROLE.
    role: Option<String>,
    /// SQL-level prepared statements by name, in lower case.
    prepared: Arc<BTreeMap<String, SqlStatement>>,
    fingerprint: u64,
    /// A bit for each entry there has been in `settings`: most names that are asked for with every statement are not there,
    /// and need not be searched.
    mentioned: u64,
}

/// Stands in place of a literal for a value that only the server knows.
pub(super) const UNREAD: &str = "";

/// The entry for the collation of results, of which no variable tells.
pub(super) const RESULTS_COLLATION: &[u8] = b"results collation";
/// Its value where it is the character set's own.
const OWN_COLLATION: &[u8] = b"own";

/// What decides, beside the schema, how a statement is prepared. The numbers do so on MySQL, which fixes the types of columns
/// then.
pub(super) const DECIDES_PREPARATION: [&str; 5] = [
    "sql_mode",
    "character_set_client",
    "collation_connection",
    "div_precision_increment",
    "group_concat_max_len",
];

/// A variable under the name it was last reported or set by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Setting {
    /// Its name, in lower case.
    pub name: Vec<u8>,
    /// Its value, as the server spells it.
    pub value: Vec<u8>,
}

impl PartialEq for SessionState {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
            && self.schema == other.schema
            && self.settings == other.settings
            && self.users == other.users
            && self.role == other.role
            && self.prepared == other.prepared
    }
}

impl Eq for SessionState {}

impl SessionState {
    /// A session as a new connection without a schema has it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A hash of everything in it, kept up to date at every change. Equal states have equal fingerprints.
    #[must_use]
    pub const fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Whether other sessions are likely to be the same: it has no variables and no statements of its own.
    #[must_use]
    pub fn is_common(&self) -> bool {
        self.users.is_empty() && self.prepared.is_empty()
    }

    /// Whether the variables of both lie in one place.
    #[must_use]
    pub fn shares_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.settings, &other.settings)
    }

    /// The default schema.
    #[must_use]
    pub fn schema(&self) -> Option<&[u8]> {
        self.schema.as_deref()
    }

    /// The value of a system variable (name in lower case), if it is not as on a new connection.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&[u8]> {
        let slot = slot(name.as_bytes());
        if self.mentioned & bit(slot) == 0 {
            return None;
        }
        let setting = self.settings.get(slot)?;
        (setting.name == name.as_bytes()).then_some(setting.value.as_slice())
    }

    /// All system variables that are not as on a new connection: names and values.
    pub fn variables(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let variables = self.settings.values().filter(|setting| setting.name != RESULTS_COLLATION);
        variables.map(|setting| (setting.name.as_slice(), setting.value.as_slice()))
    }

    /// The user variables: names in lower case, without `@`, and literals.
    pub fn user_variables(&self) -> impl Iterator<Item = (&str, &str)> {
        let known = self.users.iter().filter(|(_, literal)| literal.as_str() != UNREAD);
        known.map(|(name, literal)| (name.as_str(), literal.as_str()))
    }

    /// Takes in what the server reported with one answer.
    pub fn apply(&mut self, changes: &[Change<'_>]) {
        // A report names values as they are after the statement, in no order of its own: where it has both a
        // character set and its collation, the collation says more.
        let is_collation =
            |name: &[u8]| name.len() > 10 && name.get(..10).is_some_and(|head| head == b"collation_");
        for collations in [false, true] {
            for change in changes {
                if let Change::Variable { name, value } = change
                    && is_collation(name) == collations
                {
                    self.set_variable(name, value);
                }
            }
        }
        let reports = |wanted: &[u8]| {
            changes.iter().any(|change| matches!(change, Change::Variable { name, .. } if *name == wanted))
        };
        if reports(b"character_set_results") {
            // SET NAMES has set them all, so far as a report tells.
            self.note_results(reports(b"character_set_client") && reports(b"collation_connection"));
        }
        for change in changes {
            if let Change::Schema(name) = change {
                self.set_schema((!name.is_empty()).then_some(*name));
            }
        }
    }

    /// Notes which collation results have, which column definitions show: the connection's, as behind SET NAMES or a login, or
    /// their character set's own.
    pub fn note_results(&mut self, as_connection: bool) {
        let collation = self.variable("collation_connection").filter(|_| as_connection);
        let collation = collation.unwrap_or(OWN_COLLATION).to_vec();
        self.set_variable(RESULTS_COLLATION, &collation);
    }

    /// Notes the value of a system variable, unless it is no state of the session (see `is_state`).
    pub fn set_variable(&mut self, name: &[u8], value: &[u8]) {
        let name = name.to_ascii_lowercase();
        if !is_state(&name) {
            return;
        }
        let slot = slot(&name).to_vec();
        if self.settings.get(&slot).is_some_and(|old| old.name == name && old.value == value) {
            return;
        }
        let setting = Setting { name, value: value.to_vec() };
        self.mentioned |= bit(&slot);
        self.toggle(&(1_u8, &setting.name, &setting.value));
        if let Some(old) = Arc::make_mut(&mut self.settings).insert(slot, setting) {
            self.untoggle(&(1_u8, &old.name, &old.value));
        }
    }

    /// Notes the default schema.
    pub fn set_schema(&mut self, schema: Option<&[u8]>) {
        if self.schema.as_deref() == schema {
            return;
        }
        if let Some(old) = self.schema.take() {
            self.untoggle(&(2_u8, &old));
        }
        if let Some(new) = schema {
            self.toggle(&(2_u8, new));
            self.schema = Some(new.to_vec());
        }
        // The default database's character set is the new schema's.
        self.forget_variable("collation_database");
    }

    /// Notes that a system variable (name in lower case) is as on a new connection again.
    pub fn forget_variable(&mut self, name: &str) {
        let slot = slot(name.as_bytes());
        if self.settings.contains_key(slot)
            && let Some(old) = Arc::make_mut(&mut self.settings).remove(slot)
        {
            self.untoggle(&(1_u8, &old.name, &old.value));
        }
    }

    /// Notes a user variable (name in lower case without `@`) and the literal it was set to, as SQL text that
    /// reads the same in every mode.
    pub fn set_user_variable(&mut self, name: &str, literal: &str) {
        self.toggle(&(3_u8, name, literal));
        if let Some(old) = Arc::make_mut(&mut self.users).insert(name.to_owned(), literal.to_owned()) {
            self.untoggle(&(3_u8, name, old.as_str()));
        }
    }

    /// The literal that a user variable was set to.
    #[must_use]
    pub fn user_variable(&self, name: &str) -> Option<&str> {
        self.users.get(name).map(String::as_str)
    }

    /// Notes that a user variable (name in lower case without `@`) is as if it had never been set.
    pub fn forget_user_variable(&mut self, name: &str) {
        if self.users.contains_key(name)
            && let Some(old) = Arc::make_mut(&mut self.users).remove(name)
        {
            self.untoggle(&(3_u8, name, old.as_str()));
        }
    }

    /// The user variables whose values only the server knows, until [`set_user_variable`](Self::set_user_variable).
    pub fn unread(&self) -> impl Iterator<Item = &str> {
        self.users.iter().filter(|(_, literal)| literal.as_str() == UNREAD).map(|(name, _)| name.as_str())
    }

    /// Notes that on a server connection all user variables may be other than they were.
    pub fn doubt_user_variables(&mut self) {
        let names: Vec<String> = self.users.keys().cloned().collect();
        names.iter().for_each(|name| self.set_user_variable(name, UNREAD));
    }

    /// The user variables that hold a string of the character set that the connection had when they were set.
    pub(super) fn user_strings(&self) -> impl Iterator<Item = &str> {
        self.users.iter().filter(|(_, literal)| literal.starts_with('\'')).map(|(name, _)| name.as_str())
    }

    /// What follows SET ROLE for a session like this; `None` if that is not known.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        self.role.as_deref()
    }

    /// Notes what follows SET ROLE.
    pub fn set_role(&mut self, role: &str) {
        self.toggle(&(4_u8, role));
        if let Some(old) = self.role.replace(role.to_owned()) {
            self.untoggle(&(4_u8, old.as_str()));
        }
    }

    /// The SQL-level prepared statements.
    pub(super) fn prepared(&self) -> &BTreeMap<String, SqlStatement> {
        &self.prepared
    }

    /// Notes that a statement was prepared under a name (in lower case), or that there is none any more.
    pub(super) fn set_prepared(&mut self, name: &str, statement: Option<SqlStatement>) {
        if self.prepared.contains_key(name)
            && let Some(old) = Arc::make_mut(&mut self.prepared).remove(name)
        {
            self.untoggle(&(5_u8, name, &old));
        }
        if let Some(new) = statement {
            self.toggle(&(5_u8, name, &new));
            Arc::make_mut(&mut self.prepared).insert(name.to_owned(), new);
        }
    }

    /// Notes that there is no SQL-level prepared statement of this name (in lower case).
    pub fn forget_prepared(&mut self, name: &str) {
        self.set_prepared(name, None);
    }

    /// The same state with the schema and the settings that decide how a text is prepared as they were at another time.
    pub(super) fn at_time_of(&self, statement: &SqlStatement) -> Self {
        self.prepared_with(statement.schema.as_deref(), &statement.settings)
    }

    /// The same state with this schema and what [`preparation`](Self::preparation) gave.
    #[must_use]
    pub fn prepared_with(&self, schema: Option<&[u8]>, settings: &[Setting]) -> Self {
        let mut state = self.clone();
        if schema.is_some() {
            state.set_schema(schema);
        }
        for slot in DECIDES_PREPARATION {
            if settings.iter().all(|setting| super::state::slot(&setting.name) != slot.as_bytes()) {
                state.forget_variable(slot);
            }
        }
        for setting in settings {
            state.set_variable(&setting.name, &setting.value);
        }
        state
    }

    /// The settings that decide how a text is prepared.
    #[must_use]
    pub fn preparation(&self) -> Vec<Setting> {
        let settings = DECIDES_PREPARATION.iter().filter_map(|slot| self.settings.get(slot.as_bytes()));
        settings.cloned().collect()
    }

    /// How the server reads this session's texts.
    ///
    /// `sql_mode` and `character_set_client` must be known: put the values of a new connection into `base` (see
    /// `restore::plan`) and start sessions from a copy of it.
    #[must_use]
    pub fn dialect(&self, mariadb: bool, version: u32) -> Dialect {
        let mode = self.variable("sql_mode").unwrap_or_default();
        let has =
            |wanted: &[u8]| mode.split(|byte| *byte == b',').any(|mode| mode.eq_ignore_ascii_case(wanted));
        let charset = self.variable("character_set_client").unwrap_or_default();
        let unsafe_charsets: [&[u8]; 5] = [b"big5", b"cp932", b"gbk", b"gb18030", b"sjis"];
        Dialect {
            ansi_quotes: has(b"ANSI_QUOTES"),
            no_backslash_escapes: has(b"NO_BACKSLASH_ESCAPES"),
            mariadb,
            version,
            multibyte_unsafe: unsafe_charsets.contains(&charset),
        }
    }

    /// A hash of what decides how a statement is prepared, its schema apart: `sql_mode` and character sets.
    #[must_use]
    pub fn prepare_environment(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for slot in DECIDES_PREPARATION {
            self.settings
                .get(slot.as_bytes())
                .map(|setting| (&setting.name, &setting.value))
                .hash(&mut hasher);
        }
        hasher.finish()
    }

    pub(super) fn settings(&self) -> &BTreeMap<Vec<u8>, Setting> {
        &self.settings
    }

    // The fingerprint is the sum of its parts' hashes, so one change costs the same in a small and a big state.
    fn toggle(&mut self, part: &impl Hash) {
        self.fingerprint = self.fingerprint.wrapping_add(hash(part));
    }

    fn untoggle(&mut self, part: &impl Hash) {
        self.fingerprint = self.fingerprint.wrapping_sub(hash(part));
    }
}

fn hash(part: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    part.hash(&mut hasher);
    hasher.finish()
}

/// One of 64 bits, by a few bytes of a slot's name.
fn bit(slot: &[u8]) -> u64 {
    let byte = |at: usize| slot.get(at).copied().map_or(0, usize::from);
    1 << ((slot.len() + 5 * byte(slot.len() / 2) + 3 * byte(slot.len().saturating_sub(2))) % 64)
}

/// The entry that a variable (name in lower case) is kept under.
///
/// Setting a character set sets its default collation and setting a collation its character set, and of
/// `SET collation_connection` the servers report only that name: what was set last counts.
pub(super) fn slot(name: &[u8]) -> &[u8] {
    match name {
        b"character_set_connection" => b"collation_connection",
        b"character_set_database" => b"collation_database",
        b"character_set_server" => b"collation_server",
        b"tx_isolation" => b"transaction_isolation",
        b"tx_read_only" => b"transaction_read_only",
        b"storage_engine" => b"default_storage_engine",
        b"sql_low_priority_updates" => b"low_priority_updates",
        b"wsrep_causal_reads" => b"wsrep_sync_wait",
        _ => name,
    }
}

/// Whether a variable (name in lower case) is lasting state of a session that can be set again elsewhere.
///
/// Not: what servers report as a by-product, what holds for one statement only, and the trackers themselves.
#[must_use]
pub fn is_state(name: &[u8]) -> bool {
    let one_of: [&[u8]; 13] = [
        // MySQL's SET NAMES heeds it and reports no collation, SET character_set_connection does not heed it.
        b"default_collation_for_utf8mb4",
        b"error_count",
        b"identity",
        b"in_transaction",
        b"insert_id",
        b"last_gtid",
        b"last_insert_id",
        b"proxy_user",
        b"rand_seed1",
        b"rand_seed2",
        b"statement_id",
        b"timestamp",
        b"warning_count",
    ];
    let gtid = name.starts_with(b"gtid_") && name != b"gtid_domain_id";
    !(one_of.contains(&name) || gtid || name.starts_with(b"pseudo_") || name.starts_with(b"session_track_"))
}

/// The SET statement that makes a server report all that `Change` needs, for every new server connection.
///
/// On MariaDB the names before the star matter: from 11 on it reports a changed variable under the first touched
/// name of all that share its storage, and with a bare star a `SET timestamp` would make every later commit
/// report `timestamp` in place of `last_gtid` (seen on 11.8.6; 10.11 reports each under its own name).
#[must_use]
pub const fn tracker_setup(mariadb: bool) -> &'static str {
    if mariadb {
        "SET session_track_system_variables='last_gtid,collation_connection,autocommit,*',\
         session_track_schema=ON,session_track_state_change=ON,session_track_transaction_info='CHARACTERISTICS'"
    } else {
        "SET session_track_system_variables='*',session_track_gtids=OWN_GTID,\
         session_track_schema=ON,session_track_state_change=ON,session_track_transaction_info='CHARACTERISTICS'"
    }
}
