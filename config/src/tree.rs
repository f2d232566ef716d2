//! Values before anybody knows what they mean, each with the place it came from. Layers go on top of each other:
//! file, environment, command line.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::problem::{Place, Problem};

pub(crate) type Table = BTreeMap<String, Node>;

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) raw: Raw,
}

#[derive(Debug, Clone)]
pub(crate) enum Raw {
    Text(String),
    /// From the environment or the command line, where everything is text: it is read as what is expected.
    Loose(String),
    Integer(i128),
    Flag(bool),
    /// Floats and dates, as they stand there; no key wants them.
    Other(&'static str, String),
    List(Vec<Node>),
    Table(Table),
}

impl Raw {
    /// What was found, for people.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Text(text) | Self::Loose(text) => {
                let mut shown: String = text.chars().take(60).collect();
                if shown.len() < text.len() {
                    shown.push('…');
                }
                format!("{shown:?}")
            }
            Self::Integer(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Other(sort, text) => format!("the {sort} {text}"),
            Self::List(_) => "a list".to_owned(),
            Self::Table(_) => "a table".to_owned(),
        }
    }
}

/// Reads a file's text. Syntax errors are all reported; what could be read is returned all the same.
pub(crate) fn parse(text: &str, file: &Arc<str>, problems: &mut Vec<Problem>) -> Table {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        let message = format!("this is not TOML: {}", error.message().trim());
        problems.push(Problem { place: Place::File(Arc::clone(file), line), key: String::new(), message });
    }
    convert(table.get_ref(), &|at| Place::File(Arc::clone(file), line_of(text, at)))
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

fn convert(table: &DeTable<'_>, place: &impl Fn(usize) -> Place) -> Table {
    let entry = |(key, value): (&toml::Spanned<std::borrow::Cow<'_, str>>, &toml::Spanned<DeValue<'_>>)| {
        (key.get_ref().to_string(), Node { place: place(key.span().start), raw: raw(value.get_ref(), place) })
    };
    table.iter().map(entry).collect()
}

fn raw(value: &DeValue<'_>, place: &impl Fn(usize) -> Place) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Raw::Other("number", number.as_str().to_owned()), Raw::Integer),
        DeValue::Float(number) => Raw::Other("fraction", number.as_str().to_owned()),
        DeValue::Boolean(flag) => Raw::Flag(*flag),
        DeValue::Datetime(date) => Raw::Other("date", date.to_string()),
        DeValue::Array(items) => Raw::List(
            items
                .iter()
                .map(|item| Node { place: place(item.span().start), raw: raw(item.get_ref(), place) })
                .collect(),
        ),
        DeValue::Table(table) => Raw::Table(convert(table, place)),
    }
}

/// Puts a value of a higher layer at `path`, over whatever is there. A secret and its `_file` displace each other.
pub(crate) fn overlay(table: &mut Table, path: &[String], place: &Place, raw: Raw) {
    let Some((key, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        let sibling = key.strip_suffix("_file").map_or_else(|| format!("{key}_file"), str::to_owned);
        if table.get(&sibling).is_some_and(|node| matches!(node.place, Place::File(..))) {
            table.remove(&sibling);
        }
        table.insert(key.clone(), Node { place: place.clone(), raw });
        return;
    }
    let below = || Node { place: place.clone(), raw: Raw::Table(Table::new()) };
    let index = rest.first().and_then(|next| next.parse::<usize>().ok());
    let new = || match index {
        Some(_) => Node { place: place.clone(), raw: Raw::List(Vec::new()) },
        None => below(),
    };
    let node = table.entry(key.clone()).or_insert_with(new);
    // A number picks one of a list of tables: TIDEOVER_USER__0__NAME.
    match (&mut node.raw, index) {
        (Raw::List(items), Some(index)) => {
            while items.len() <= index.min(1_000) {
                items.push(below());
            }
            if let Some(Raw::Table(inner)) = items.get_mut(index).map(|item| &mut item.raw) {
                overlay(inner, rest.get(1..).unwrap_or_default(), place, raw);
            }
        }
        (Raw::Table(inner), _) => overlay(inner, rest, place, raw),
        // What stands there is not a table, and its reader will say so.
        _ => {}
    }
}
