use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Config;
use super::checked::TABLES;
use super::problem::{Place, Problem, Problems};
use super::section::Reader;
use super::tree::{Node, Raw, Table, overlay, parse as parse_tree};

/// A value from the command line, over those of file and environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The option, as the user wrote it: `--listen`.
    pub option: String,
    /// The key it stands for: `listen`, `cluster.servers`.
    pub key: String,
    /// Its values: one, or several for a list.
    pub values: Vec<String>,
}

/// Reads the file (if one is given), the environment and the command line, and checks the whole.
///
/// Of the environment it takes `TIDEOVER_` followed by the key in capitals, two underscores for each dot:
/// `TIDEOVER_LISTEN`, `TIDEOVER_CLUSTER__SERVERS=a:3306,b:3306`, `TIDEOVER_USER__0__NAME`. A variable without two
/// underscores that is no key is left alone, since orchestrators put `TIDEOVER_PORT` and the like there.
///
/// # Errors
/// All mistakes found, in the order of their places.
pub fn load(
    path: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    overrides: &[Override],
) -> Result<Config, Problems> {
    let name = path.map_or_else(|| "configuration".to_owned(), |path| path.display().to_string());
    let folder = path.and_then(Path::parent).map(Path::to_path_buf).unwrap_or_default();
    let text = match path.map(std::fs::read_to_string) {
        None => String::new(),
        Some(Ok(text)) => text,
        Some(Err(error)) => {
            let message = format!("cannot be read: {error}");
            return Err(Problems(vec![Problem {
                place: Place::Missing(name.into()),
                key: String::new(),
                message,
            }]));
        }
    };
    read(Source { text: &text, name: name.into(), folder }, environment, overrides)
}

/// Checks the text of a file as `load` would; `name` stands for it in messages, and relative paths start in the
/// working directory.
///
/// # Errors
/// All mistakes found, in the order of their places.
pub fn parse(text: &str, name: &str) -> Result<Config, Problems> {
    read(Source { text, name: name.into(), folder: PathBuf::new() }, [], &[])
}

/// Every key there is, with its table (`pool.max_per_server`); those of `[[user]]` as `user.name`. Secrets stand
/// here under both of their names.
#[must_use]
pub fn keys() -> Vec<String> {
    let mut reader = reader("".into(), PathBuf::new(), Vec::new());
    let place = Place::Missing("".into());
    let user = Node { place: place.clone(), raw: Raw::Table(Table::new()) };
    let root = Table::from([("user".to_owned(), Node { place, raw: Raw::List(vec![user]) })]);
    let config = Config::read(&mut reader, root);
    config.entries.into_keys().map(|key| key.replace("user.0.", "user.")).collect()
}

struct Source<'a> {
    text: &'a str,
    name: Arc<str>,
    folder: PathBuf,
}

const fn reader(file: Arc<str>, folder: PathBuf, known: Vec<String>) -> Reader {
    Reader { file, folder, problems: Vec::new(), entries: BTreeMap::new(), known }
}

fn read(
    source: Source<'_>,
    environment: impl IntoIterator<Item = (String, String)>,
    overrides: &[Override],
) -> Result<Config, Problems> {
    let mut reader = reader(source.name, source.folder, keys());
    let mut root = parse_tree(source.text, &reader.file, &mut reader.problems);
    // What cannot be read cannot be judged: keys would seem to be missing.
    if !reader.problems.is_empty() {
        return Err(Problems(reader.problems));
    }
    for (name, value) in environment {
        if let Some(path) = environment_path(&name, &reader.known) {
            overlay(&mut root, &path, &Place::Environment(name), Raw::Loose(value));
        }
    }
    for given in overrides.iter().filter(|given| !given.values.is_empty()) {
        let path: Vec<String> = given.key.split('.').map(str::to_owned).collect();
        let place = Place::Argument(given.option.clone());
        let node = |value: &String| Node { place: place.clone(), raw: Raw::Loose(value.clone()) };
        let raw = match given.values.as_slice() {
            [value] => Raw::Loose(value.clone()),
            values => Raw::List(values.iter().map(node).collect()),
        };
        overlay(&mut root, &path, &place, raw);
    }
    let config = Config::read(&mut reader, root);
    if reader.problems.is_empty() {
        return Ok(config);
    }
    reader.problems.sort_by(|a, b| a.place.cmp(&b.place));
    Err(Problems(reader.problems))
}

/// The key that an environment variable stands for, if it is one of ours.
fn environment_path(name: &str, known: &[String]) -> Option<Vec<String>> {
    let path: Vec<String> = name.strip_prefix("TIDEOVER_")?.split("__").map(str::to_lowercase).collect();
    let ours = match path.as_slice() {
        [key] => known.contains(key),
        // An unknown key is reported, but an unknown table need not be meant for us.
        [table, ..] => {
            TABLES.contains(&table.as_str())
                || super::nearest::nearest(table, TABLES.iter().copied()).is_some()
        }
        [] => false,
    };
    ours.then_some(path)
}
