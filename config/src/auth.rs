use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::kind::Choice;
use super::problem::{Place, Problem};
use super::secret::Secret;
use super::section::{Applies, NAME, Reader, Section};
use super::tree::{Table, parse};

/// Whose accounts count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// The database's own.
    Database,
    /// Those listed as `[[user]]`.
    Users,
}

/// `[auth]` and `[[user]]`: who may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// `mode`.
    pub mode: AuthMode,
    /// `[[user]]`, here and in the file that `users_file` names; empty unless the mode is `users`.
    pub users: Vec<User>,
}

/// `[[user]]`: an account that the proxy knows by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// `name`.
    pub name: String,
    /// How the user proves who it is.
    pub credential: Credential,
}

/// What a user's password is checked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// `password` or `password_file`: also logs in to the servers, by any method.
    Password(Secret<String>),
    /// `password_hash`: `mysql_native_password`'s `*` and 40 hexadecimal digits; logs in by that method only.
    NativeHash(Secret<String>),
}

const MODES: &[(&str, AuthMode)] = &[("database", AuthMode::Database), ("users", AuthMode::Users)];

impl Auth {
    pub(crate) fn read(mut section: Section<'_>, mut users: Vec<(Place, Table)>) -> Self {
        let mode = section.get("mode", Applies::AtStart, Choice(MODES), AuthMode::Database);
        let file = section.path("users_file", Applies::Live);
        let named = file.is_some();
        let reader = &mut *section.reader;
        let first = users.first().map(|_| "user.0.name");
        if let Some(path) = file {
            users.extend(users_of(reader, &path));
        }
        let given = users.len();
        let read = |(index, (place, table))| User::read(reader, index, place, table);
        let users: Vec<User> = users.into_iter().enumerate().filter_map(read).collect();
        let mut seen = BTreeSet::new();
        for (index, user) in users.iter().enumerate() {
            if !seen.insert(&user.name) {
                reader.blame(&format!("user.{index}.name"), format!("there is another user {:?}", user.name));
            }
        }
        if mode == AuthMode::Users && given == 0 && !named {
            reader.blame("auth.mode", "is \"users\" but there is no [[user]], and no auth.users_file");
        }
        if mode == AuthMode::Database && named {
            reader.blame("auth.users_file", "has no effect unless auth.mode is \"users\"");
        } else if let Some(key) = first.filter(|_| mode == AuthMode::Database) {
            reader.blame(key, "a [[user]] has no effect unless auth.mode is \"users\"");
        }
        section.close();
        Self { mode, users }
    }
}

/// The users of a file of its own, which has `[[user]]` and nothing else.
fn users_of(reader: &mut Reader, path: &Path) -> Vec<(Place, Table)> {
    let name: Arc<str> = path.display().to_string().into();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            reader.blame("auth.users_file", format!("cannot read {name}: {error}"));
            return Vec::new();
        }
    };
    let mut root = parse(&text, &name, &mut reader.problems);
    let users = root.remove("user").map(|node| Table::from([("user".to_owned(), node)]));
    for (key, node) in root {
        let message = "does not belong in a file of users, which has [[user]] only".to_owned();
        reader.problems.push(Problem { place: node.place, key, message });
    }
    users.map(|only| Section::new(reader, "", only).tables("user")).unwrap_or_default()
}

impl User {
    fn read(reader: &mut Reader, index: usize, place: Place, table: Table) -> Option<Self> {
        let named = table.contains_key("name");
        let mut section = Section::new(reader, &format!("user.{index}"), table);
        let name = section.optional("name", Applies::Live, NAME);
        let password = section.secret("password", "password_file", Applies::Live);
        let hash = section.secret("password_hash", "password_hash_file", Applies::Live);
        let mut problem = |key: &str, message: &str| {
            let key = format!("user.{index}.{key}");
            let own = section.reader.entries.get(&key).and_then(|entry| entry.place.clone());
            let place = own.unwrap_or_else(|| place.clone());
            section.reader.problems.push(Problem { place, key, message: message.to_owned() });
        };
        if !named {
            problem("name", "missing, expected a name in quotes");
        }
        let credential = match (password, hash) {
            (Some(_), Some(_)) => {
                problem("password_hash", "stands beside a password; leave one of them out");
                None
            }
            (Some(password), None) => Some(Credential::Password(password)),
            (None, Some(hash)) if is_native_hash(hash.expose()) => Some(Credential::NativeHash(hash)),
            (None, Some(_)) => {
                problem(
                    "password_hash",
                    "expected an asterisk and 40 hexadecimal digits, as mysql_native_password stores it",
                );
                None
            }
            (None, None) => {
                problem("password", "missing, expected password, password_file or password_hash");
                None
            }
        };
        section.close();
        Some(Self { name: name?, credential: credential? })
    }
}

fn is_native_hash(text: &str) -> bool {
    let digits = text.strip_prefix('*').unwrap_or_default();
    digits.len() == 40 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}
