use std::borrow::Cow;
use std::collections::BTreeSet;

use super::SessionState;
use super::sql_prepare::{BINARY, deallocate, make_binary, plain_null};
use super::state::{RESULTS_COLLATION, Setting};

/// What turns a server connection in one session's state into one in another's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restore {
    /// What to do, in this order.
    pub steps: Vec<Step>,
    /// It cannot be done: a schema can be selected but not unselected. The connection needs a reset
    /// (COM_RESET_CONNECTION keeps the schema, COM_CHANGE_USER does not) or another must be taken.
    pub needs_fresh_connection: bool,
}

/// One step of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The schema to select with COM_INIT_DB.
    InitDb(Vec<u8>),
    /// A statement to run.
    Query(Vec<u8>),
}

impl Step {
    /// Whether the server may refuse it without harm: it prepares a statement, whose table may be gone, or takes one away.
    /// Gives the statement's name.
    #[must_use]
    pub fn may_be_refused(&self) -> Option<String> {
        let Self::Query(text) = self else { return None };
        let rest = [b"PREPARE `".as_slice(), b"DEALLOCATE PREPARE `"]
            .iter()
            .find_map(|verb| text.strip_prefix(*verb))?;
        let text = String::from_utf8_lossy(rest);
        let end = text.find("` FROM ").or_else(|| text.rfind('`'))?;
        Some(text.get(..end)?.replace("``", "`"))
    }
}

impl Restore {
    /// Whether there is nothing to do.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.steps.is_empty() && !self.needs_fresh_connection
    }

    /// All steps and then the assignment `last`, as one statement; or, where a connection takes `several`, as one text of
    /// several, of which the server stops at the first that it refuses. Only if all succeed, `last` takes effect. `None` if
    /// that cannot be: the refusal of a PREPARE must not stop the others.
    #[must_use]
    pub fn as_one(&self, last: &str, several: bool) -> Option<Vec<u8>> {
        if self.needs_fresh_connection || self.steps.iter().any(|step| step.may_be_refused().is_some()) {
            return None;
        }
        if let [Step::Query(only)] = self.steps.as_slice()
            && only.starts_with(b"SET ")
            && !only.starts_with(b"SET ROLE")
        {
            return Some([only, b",".as_slice(), last.as_bytes()].concat());
        }
        let mut text = Vec::new();
        for step in &self.steps {
            match step {
                Step::InitDb(schema) => {
                    // Other names are read by the character set that a text has, and a name of the protocol is not.
                    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
                    schema.iter().all(plain).then_some(())?;
                    text.extend_from_slice(&[b"USE `", schema.as_slice(), b"`"].concat());
                }
                Step::Query(query) => text.extend_from_slice(query),
            }
            text.push(b';');
        }
        text.extend_from_slice(b"SET ");
        text.extend_from_slice(last.as_bytes());
        several.then_some(text)
    }

    /// In one statement with the variables, unless those change character sets: literals are read in those that the
    /// connection has when their statement arrives.
    fn user_variables(&mut self, set: Option<String>) {
        let charsets = |text: &[u8]| {
            let names = |name: &[u8]| text.windows(name.len()).any(|piece| piece == name);
            names(b"NAMES ") || names(b"character_set") || names(b"collation")
        };
        match (self.steps.last_mut(), set) {
            (Some(Step::Query(last)), Some(set))
                if last.starts_with(b"SET ") && !last.starts_with(b"SET ROLE") && !charsets(last) =>
            {
                last.push(b',');
                last.extend_from_slice(set.strip_prefix("SET ").unwrap_or(&set).as_bytes());
            }
            (_, set) => self.query(set),
        }
    }

    fn query(&mut self, text: Option<String>) {
        self.steps.extend(text.map(|text| Step::Query(text.into_bytes())));
    }
}

/// Plans the way from the state `from`, in which a server connection is, to the state `to`, in which a session
/// expects it. `base` is what a new connection of that pool has, as far as known: at least `sql_mode`, the role and the
/// character sets that the login chose. A variable that is in `from` only goes back to its value in `base`, or
/// else to its global value.
///
/// But for prepared statements the texts are plain ASCII and read the same under `ANSI_QUOTES` and
/// `NO_BACKSLASH_ESCAPES`.
#[must_use]
pub fn plan(from: &SessionState, to: &SessionState, base: &SessionState) -> Restore {
    if from == to {
        return Restore::default();
    }
    let mut restore = Restore {
        needs_fresh_connection: from.schema().is_some() && to.schema().is_none(),
        ..Restore::default()
    };
    // Which schemas and variables there are to be set may depend on the role.
    if from.role() != to.role()
        && let Some(role) = to.role().or_else(|| base.role())
    {
        restore.query(Some(format!("SET ROLE {role}")));
    }
    for name in from.prepared().keys().filter(|name| !to.prepared().contains_key(*name)) {
        restore.steps.push(Step::Query(deallocate(name)));
    }
    let (mut now, mut variables_now) = (Cow::Borrowed(from), Cow::Borrowed(from));
    for (name, statement) in to.prepared() {
        if from.prepared().get(name) == Some(statement) {
            continue;
        }
        // With all else as it shall be: a part of it may decide too.
        let then = to.at_time_of(statement);
        settings(&mut restore, &now, &then, base);
        restore.steps.extend(statement.statements(name).into_iter().map(Step::Query));
        if statement.may_assign() {
            variables_now.to_mut().doubt_user_variables();
        }
        now = Cow::Owned(then);
    }
    settings(&mut restore, &now, to, base);
    restore.user_variables(user_variables(&variables_now, to));
    let set =
        to.user_variables().filter(|(name, literal)| variables_now.user_variable(name) != Some(literal));
    let binary: Vec<&str> =
        set.filter(|(_, literal)| literal.starts_with(BINARY)).map(|(name, _)| name).collect();
    restore.query(make_binary(&binary));
    restore
}

/// Schema and variables.
fn settings(restore: &mut Restore, from: &SessionState, to: &SessionState, base: &SessionState) {
    let mut from = Cow::Borrowed(from);
    if to.schema() != from.schema()
        && let Some(schema) = to.schema()
    {
        if is_misread(schema, &from) {
            restore.query(Some("SET character_set_client='utf8mb4'".to_owned()));
            from.to_mut().set_variable(b"character_set_client", b"utf8mb4");
        }
        restore.steps.push(Step::InitDb(schema.to_vec()));
    }
    if has_wide_literals(&from) {
        // Names and words in quotes would not be understood.
        restore.query(Some("SET NAMES utf8mb4".to_owned()));
        for name in
            [b"character_set_client".as_slice(), b"character_set_results", b"character_set_connection"]
        {
            from.to_mut().set_variable(name, b"utf8mb4");
        }
        // Whichever it has.
        from.to_mut().set_variable(RESULTS_COLLATION, b"");
    }
    restore.query(variables(&from, to, base));
}

/// Whether strings in a text become strings of a character set that is not one of ASCII's kin.
fn has_wide_literals(state: &SessionState) -> bool {
    let setting = state.settings().get(b"collation_connection".as_slice());
    let name = setting.map_or(b"".as_slice(), |setting| &setting.value);
    [b"utf16".as_slice(), b"utf32", b"ucs2"].iter().any(|wide| name.starts_with(wide))
}

/// Whether a connection in the state `from` would take COM_INIT_DB with this name for another one: servers read it in the
/// client's character set, and name schemas in UTF-8 when they tell of them.
fn is_misread(schema: &[u8], from: &SessionState) -> bool {
    let charset = from.variable("character_set_client").unwrap_or(b"utf8mb4");
    !schema.is_ascii() && !charset.starts_with(b"utf8") && str::from_utf8(schema).is_ok()
}

fn variables(from: &SessionState, to: &SessionState, base: &SessionState) -> Option<String> {
    let (from, to, base) = (from.settings(), to.settings(), base.settings());
    let slots: BTreeSet<&Vec<u8>> = from.keys().chain(to.keys()).collect();
    // What collation a character set gets may depend on another variable (MariaDB's character_set_collations),
    // which comes first.
    let (last, first): (Vec<_>, Vec<_>) = slots.into_iter().partition(|slot| slot.starts_with(b"collation_"));
    let wanted = |slot: &[u8]| to.get(slot).or_else(|| base.get(slot));
    let changes = |slot: &[u8]| {
        let now = from.get(slot).or_else(|| base.get(slot));
        now != wanted(slot) || now.is_none()
    };
    let results = [NAMES[1], RESULTS_COLLATION].iter().any(|slot| changes(slot));
    let names = set_names(wanted).filter(|_| results);
    let mut set = String::new();
    for slot in first.into_iter().chain(last).filter(|slot| changes(slot)) {
        if slot.as_slice() == RESULTS_COLLATION {
            // The character set by itself sets it.
            let also = !changes(NAMES[1]) && names.is_none();
            push(&mut set, wanted(NAMES[1]).filter(|_| also).and_then(assignment));
            continue;
        }
        if names.is_some() && NAMES.contains(&slot.as_slice()) {
            continue;
        }
        let assignment = match (wanted(slot), from.get(slot)) {
            (Some(setting), _) => assignment(setting),
            (None, Some(setting)) => initial(&setting.name),
            (None, None) => None,
        };
        push(&mut set, assignment);
    }
    push(&mut set, names);
    (!set.is_empty()).then_some(set)
}

/// What SET NAMES sets.
const NAMES: [&[u8]; 3] = [b"character_set_client", b"character_set_results", b"collation_connection"];

/// `NAMES … COLLATE …`, if results have a collation that is not their character set's own, and what else is wanted then. To
/// set them one by one gives results the default collation of their character set, which column definitions show.
fn set_names<'a>(wanted: impl Fn(&[u8]) -> Option<&'a Setting>) -> Option<String> {
    let plain = |slot: &[u8]| {
        let setting = wanted(slot).filter(|setting| setting.name == slot)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        str::from_utf8(&setting.value).ok().filter(|v| v.bytes().all(plain))
    };
    let [client, results, _] = NAMES.map(plain);
    let (client, results, collation) = (client?, results?, plain(RESULTS_COLLATION)?);
    let belongs = collation.strip_prefix(results).is_some_and(|rest| rest.starts_with('_'));
    belongs.then_some(())?;
    let mut names = format!("NAMES {results} COLLATE {collation}");
    if client != results {
        names += &format!(",character_set_client={}", value("", client.as_bytes()));
    }
    let connection = wanted(NAMES[2])?;
    if plain(NAMES[2]) != Some(collation) {
        names += &format!(",{}", assignment(connection)?);
    }
    Some(names)
}

fn push(set: &mut String, assignment: Option<String>) {
    if let Some(assignment) = assignment {
        *set += if set.is_empty() { "SET " } else { "," };
        *set += &assignment;
    }
}

fn assignment(setting: &Setting) -> Option<String> {
    let name = variable_name(&setting.name)?;
    Some(format!("{name}={}", value(name, &setting.value)))
}

/// Back to what new connections get. MySQL 9 takes `DEFAULT` for the inverse of two variables (seen on 9.7.4),
/// so those are read from the global value; others have none.
fn initial(name: &[u8]) -> Option<String> {
    let name = variable_name(name)?;
    Some(match name {
        "foreign_key_checks" | "unique_checks" => format!("{name}=@@global.{name}"),
        _ => format!("{name}=DEFAULT"),
    })
}

/// A name as it may stand in a text. The servers' names all do; anything else is not repeated.
fn variable_name(name: &[u8]) -> Option<&str> {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    (!name.is_empty() && name.iter().all(allowed)).then(|| str::from_utf8(name).ok())?
}

/// A value as a literal: the servers refuse numbers in quotes and words without.
fn value(name: &str, value: &[u8]) -> String {
    // The collation that SET CHARACTER SET takes over; see the tracker.
    if value == DATABASE_COLLATION.as_bytes() {
        return DATABASE_COLLATION.to_owned();
    }
    if value.is_empty() && name == "character_set_results" {
        return "NULL".to_owned();
    }
    match str::from_utf8(value) {
        Ok(text) if is_number(text) => text.to_owned(),
        // A backslash means itself or not by sql_mode, and other bytes depend on the character set.
        Ok(text) if text.bytes().all(|byte| (b' '..0x7f).contains(&byte) && byte != b'\\') => quote(text),
        _ => {
            let hex: String = value.iter().map(|byte| format!("{byte:02X}")).collect();
            format!("CONVERT(0x{hex} USING utf8mb4)")
        }
    }
}

/// Stands for the default database's collation, whatever that is.
pub(super) const DATABASE_COLLATION: &str = "@@collation_database";

/// A string literal of text without backslashes.
pub(super) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    all_digits(whole) && all_digits(fraction)
}

fn user_variables(from: &SessionState, to: &SessionState) -> Option<String> {
    let mut set = String::new();
    for (name, literal) in to.user_variables() {
        if from.user_variable(name) != Some(literal) {
            let literal = literal.strip_prefix(BINARY).unwrap_or(literal);
            push(&mut set, Some(format!("@`{name}`={literal}")));
        }
    }
    for (name, _) in from.user_variables() {
        // A value that only the server knows is on the connection where it was made.
        if to.user_variable(name).is_none() {
            push(&mut set, Some(format!("@`{name}`={}", plain_null(name))));
        }
    }
    (!set.is_empty()).then_some(set)
}
