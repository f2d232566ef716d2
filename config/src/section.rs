//! Reads one table of the configuration key by key, and remembers what it was asked for: what is left over
//! unknown, and what could be there.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;

use super::kind::{FilePath, Kind, Text};
use super::nearest::nearest;
use super::problem::{Place, Problem};
use super::secret::Secret;
use super::tree::{Node, Raw, Table};

/// When a changed value takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applies {
    /// With a reload.
    Live,
    /// With the next start.
    AtStart,
}

/// What is remembered of every key for comparing two configurations. Of values, only a hash, and even that is not
/// for printing: some are secrets.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) fingerprint: u64,
    pub(crate) applies: Applies,
    pub(crate) place: Option<Place>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} {:?}", self.applies, self.place)
    }
}

/// What all tables are read with.
#[derive(Debug)]
pub(crate) struct Reader {
    /// The file's name, or what stands for it.
    pub(crate) file: Arc<str>,
    /// Relative paths start here.
    pub(crate) folder: PathBuf,
    pub(crate) problems: Vec<Problem>,
    pub(crate) entries: BTreeMap<String, Entry>,
    /// Every key that exists, to suggest one from another table. Empty while they are being collected.
    pub(crate) known: Vec<String>,
}

impl Reader {
    /// Reports something about a key that was read before, at its place.
    pub(crate) fn blame(&mut self, key: &str, message: impl Into<String>) {
        let place = self.entries.get(key).and_then(|entry| entry.place.clone());
        let place = place.unwrap_or_else(|| Place::Missing(Arc::clone(&self.file)));
        self.problems.push(Problem { place, key: key.to_owned(), message: message.into() });
    }
}

/// One table.
pub(crate) struct Section<'a> {
    pub(crate) reader: &'a mut Reader,
    name: String,
    table: Table,
    asked: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// The table `name`, taken out of `parent`. The outermost table has no name.
    pub(crate) fn open(reader: &'a mut Reader, parent: &mut Table, name: &'static str) -> Self {
        let table = match parent.remove(name) {
            None => Table::new(),
            Some(Node { raw: Raw::Table(table), .. }) => table,
            Some(node) => {
                let message = format!("found {}, expected a table: [{name}]", node.raw.describe());
                reader.problems.push(Problem { place: node.place, key: name.to_owned(), message });
                Table::new()
            }
        };
        Self::new(reader, name, table)
    }

    pub(crate) fn new(reader: &'a mut Reader, name: &str, table: Table) -> Self {
        Self { reader, name: name.to_owned(), table, asked: Vec::new() }
    }

    /// The value of a key, or its default.
    pub(crate) fn get<K: Kind>(
        &mut self,
        key: &'static str,
        applies: Applies,
        kind: K,
        default: K::Value,
    ) -> K::Value {
        let value = self.read(key, &kind);
        let (place, value) = value.map_or((None, None), |(place, value)| (Some(place), value));
        let value = value.unwrap_or(default);
        self.note(key, applies, place, hash(&format!("{value:?}")));
        value
    }

    /// The value of a key that may be left out.
    pub(crate) fn optional<K: Kind>(
        &mut self,
        key: &'static str,
        applies: Applies,
        kind: K,
    ) -> Option<K::Value> {
        let value = self.read(key, &kind);
        let (place, value) = value.map_or((None, None), |(place, value)| (Some(place), value));
        self.note(key, applies, place, hash(&format!("{value:?}")));
        value
    }

    /// The value of a key that must be there; `None` if it was not, which has been reported.
    pub(crate) fn required<K: Kind>(
        &mut self,
        key: &'static str,
        applies: Applies,
        kind: K,
    ) -> Option<K::Value> {
        if !self.table.contains_key(key) {
            let message = format!("missing, expected {}", kind.expected());
            let place = Place::Missing(Arc::clone(&self.reader.file));
            self.report(place, key, message);
        }
        self.optional(key, applies, kind)
    }

    /// The path in a key that may be left out, relative to the configuration's folder.
    pub(crate) fn path(&mut self, key: &'static str, applies: Applies) -> Option<PathBuf> {
        self.optional(key, applies, FilePath).map(|path| self.reader.folder.join(path))
    }

    /// A secret, from `key` itself or from the file that `file_key` names.
    pub(crate) fn secret(
        &mut self,
        key: &'static str,
        file_key: &'static str,
        applies: Applies,
    ) -> Option<Secret<String>> {
        let given = self.table.get(key).map(|node| node.place.clone());
        let file_place = self.table.get(file_key).map(|node| node.place.clone());
        let direct = self.direct_secret(key);
        let path = self.path(file_key, applies);
        if let (Some(place), Some(_)) = (&given, &file_place) {
            self.report(place.clone(), key, format!("stands beside {file_key}; leave one of them out"));
        }
        let secret = direct.or_else(|| self.secret_file(file_key, file_place.clone(), path?));
        self.note(key, applies, given.or(file_place), secret.as_ref().map_or(0, Secret::fingerprint));
        secret
    }

    fn direct_secret(&mut self, key: &'static str) -> Option<Secret<String>> {
        self.asked.push(key);
        let node = self.table.remove(key)?;
        match node.raw {
            Raw::Text(text) | Raw::Loose(text) => Some(Secret::new(text)),
            // What was found is not shown: it may be the secret in the wrong clothes.
            _ => {
                self.report(
                    node.place,
                    key,
                    "found something that is not text, expected text in quotes".to_owned(),
                );
                None
            }
        }
    }

    fn secret_file(
        &mut self,
        key: &'static str,
        place: Option<Place>,
        path: PathBuf,
    ) -> Option<Secret<String>> {
        match std::fs::read_to_string(&path) {
            Ok(text) => Some(Secret::new(text.trim_end_matches(['\n', '\r']).to_owned())),
            Err(error) => {
                let place = place.unwrap_or_else(|| Place::Missing(Arc::clone(&self.reader.file)));
                self.report(place, key, format!("cannot read {}: {error}", path.display()));
                None
            }
        }
    }

    /// The tables of a list of tables (`[[user]]`), if there are any.
    pub(crate) fn tables(&mut self, key: &'static str) -> Vec<(Place, Table)> {
        self.asked.push(key);
        let Some(node) = self.table.remove(key) else { return Vec::new() };
        let Raw::List(items) = node.raw else {
            let message = format!("found {}, expected tables: [[{key}]]", node.raw.describe());
            self.report(node.place, key, message);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in items {
            match item.raw {
                Raw::Table(table) => tables.push((item.place, table)),
                raw => self.report(
                    item.place,
                    key,
                    format!("found {}, expected a table: [[{key}]]", raw.describe()),
                ),
            }
        }
        tables
    }

    /// What is left over is unknown.
    pub(crate) fn close(mut self) {
        for (key, node) in std::mem::take(&mut self.table) {
            let message = self.unknown(&key);
            self.report(node.place, &key, message);
        }
    }

    fn unknown(&self, key: &str) -> String {
        if let Some(near) = nearest(key, self.asked.iter().copied()) {
            return format!("unknown key; did you mean {near:?}?");
        }
        // Right word, wrong table?
        let elsewhere = self.reader.known.iter().find(|known| known.rsplit('.').next() == Some(key));
        match elsewhere {
            Some(known) => format!("unknown key here; did you mean {known:?}?"),
            None => format!("unknown key; known here: {}", self.asked.join(", ")),
        }
    }

    fn read<K: Kind>(&mut self, key: &'static str, kind: &K) -> Option<(Place, Option<K::Value>)> {
        self.asked.push(key);
        let node = self.table.remove(key)?;
        match kind.read(&node) {
            Ok(value) => Some((node.place, Some(value))),
            Err(fault) => {
                let hint = fault.hint.map_or_else(String::new, |hint| format!("; {hint}"));
                let message = format!("found {}, expected {}{hint}", fault.found, kind.expected());
                self.report(fault.place.unwrap_or_else(|| node.place.clone()), key, message);
                Some((node.place, None))
            }
        }
    }

    fn full_key(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    fn report(&mut self, place: Place, key: &str, message: String) {
        let key = self.full_key(key);
        self.reader.problems.push(Problem { place, key, message });
    }

    fn note(&mut self, key: &str, applies: Applies, place: Option<Place>, fingerprint: u64) {
        let key = self.full_key(key);
        self.reader.entries.insert(key, Entry { fingerprint, applies, place });
    }
}

/// For names and the like.
pub(crate) const NAME: Text = Text("a name in quotes");

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
