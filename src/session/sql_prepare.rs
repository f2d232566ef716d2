//! SQL-level PREPARE: what it takes to have the same statement on another server connection. PURE.

use super::SessionState;
use super::state::Setting;
use crate::sql::details::Source;

/// Statements that one session may take along, and bytes of each text. With more it is pinned.
const MOST: usize = 64;
const LONGEST: usize = 64 << 10;

/// A statement as it was prepared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SqlStatement {
    /// What follows FROM: a string as the client wrote it, or a literal for the value of a variable.
    text: Vec<u8>,
    by_variable: bool,
    /// The default schema and what else decided how the text was read.
    pub(super) schema: Option<Vec<u8>>,
    pub(super) settings: Vec<Setting>,
}

impl SqlStatement {
    /// Prepared in the state `state`. `None` if it cannot be prepared again from what is known.
    pub(super) fn of(source: Source, state: &SessionState) -> Option<Self> {
        let (text, by_variable) = match source {
            Source::Literal(text) => (text, false),
            // Not NULL, which nothing can be prepared from.
            Source::Variable(name) => {
                let literal = state.user_variable(&name).filter(|l| !l.contains("NULL"))?;
                (literal.as_bytes().to_vec(), true)
            }
        };
        if text.is_empty() || text.len() > LONGEST || state.prepared().len() >= MOST {
            return None;
        }
        Some(Self {
            text,
            by_variable,
            schema: state.schema().map(<[u8]>::to_vec),
            settings: state.preparation(),
        })
    }

    /// The statements that prepare it under this name, in the state that it was prepared in.
    pub(super) fn statements(&self, name: &str) -> Vec<Vec<u8>> {
        let name = name.replace('`', "``");
        if !self.by_variable {
            return vec![[format!("PREPARE `{name}` FROM ").as_bytes(), &self.text].concat()];
        }
        let set = [b"SET @`tideover text`=".as_slice(), &self.text].concat();
        let prepare = format!("PREPARE `{name}` FROM @`tideover text`");
        vec![set, prepare.into_bytes(), b"SET @`tideover text`=NULL".to_vec()]
    }

    /// Whether user variables may have another collation when it has been prepared; see [`Tracker::prepared`](super::Tracker::prepared).
    pub(super) fn may_assign(&self) -> bool {
        self.plain_text().is_none_or(|text| text.contains(&b'@'))
    }

    /// The text itself, if it is written without escapes.
    pub(super) fn plain_text(&self) -> Option<Vec<u8>> {
        let text = str::from_utf8(&self.text).ok()?;
        if let Some((introducer, hex)) = text.split_once(" X'") {
            let hex = hex.split('\'').next()?;
            let bytes: Option<Vec<u8>> = hex
                .as_bytes()
                .chunks(2)
                .map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok())
                .collect();
            return bytes.filter(|bytes| introducer.starts_with('_') && bytes.is_ascii());
        }
        let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.contains('\\'))
            .then(|| inner.replace(&format!("{quote}{quote}"), &quote.to_string()).into_bytes())
    }
}

/// A name for DEALLOCATE PREPARE.
pub(super) fn deallocate(name: &str) -> Vec<u8> {
    format!("DEALLOCATE PREPARE `{}`", name.replace('`', "``")).into_bytes()
}

/// A user variable's value as a literal: `text` as the server sends it, `hex` of its bytes, `collation` and the column type
/// of the result. It reads the same whatever the session's modes and character sets are. `None`: not understood.
pub(super) fn literal(name: &str, value: &super::UserValue) -> Option<String> {
    let text = || str::from_utf8(value.text.as_deref()?).ok();
    if value.text.is_none() {
        return Some(null(name, value));
    }
    let number =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    match value.kind {
        // MYSQL_TYPE_LONG, LONGLONG, INT24, SHORT, TINY
        1 | 2 | 3 | 8 | 9 => {
            let text = text().filter(|text| number(text))?;
            Some(match (value.unsigned, text) {
                (true, text) => format!("CAST({text} AS UNSIGNED)"),
                (false, "-9223372036854775808") => format!("CAST({text} AS SIGNED)"),
                (false, text) => text.to_owned(),
            })
        }
        // FLOAT, DOUBLE
        4 | 5 => {
            let text = text().filter(|text| number(text))?;
            Some(if text.contains(['e', 'E']) { text.to_owned() } else { format!("{text}e0") })
        }
        // DECIMAL, NEWDECIMAL
        0 | 246 => {
            let text = text().filter(|text| number(text))?;
            Some(if text.contains('.') { text.to_owned() } else { format!("{text}.") })
        }
        _ => {
            let hex = str::from_utf8(&value.hex).ok()?;
            let collation = str::from_utf8(&value.collation).ok()?;
            let name =
                |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            (hex.bytes().all(|b| b.is_ascii_hexdigit()) && name(collation)).then_some(())?;
            let charset = collation.split('_').next().unwrap_or(collation);
            Some(match charset {
                "binary" => format!("_binary X'{hex}'"),
                charset => format!("_{charset} X'{hex}' COLLATE {collation}"),
            })
        }
    }
}

/// NULL, of the type that the variable has on the server: columns show it. A variable that becomes NULL keeps its type (seen
/// on all three), so what stands for it is a value of the type, and goes on with a second assignment.
fn null(name: &str, value: &super::UserValue) -> String {
    let collation = str::from_utf8(&value.collation).unwrap_or_default();
    let sample = match value.kind {
        1 | 2 | 3 | 8 | 9 if value.unsigned => "CAST(0 AS UNSIGNED)".to_owned(),
        1 | 2 | 3 | 8 | 9 => "0".to_owned(),
        4 | 5 => "0e0".to_owned(),
        0 | 246 => "0.0".to_owned(),
        _ => match collation.split_once('_') {
            Some((charset, _)) if collation.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') => {
                format!("_{charset}'' COLLATE {collation}")
            }
            _ => return plain_null(name),
        },
    };
    format!("{sample},@`{name}`=NULL")
}

/// NULL for a variable that had no value before, whatever another session has left in it.
pub(super) fn plain_null(name: &str) -> String {
    format!("X'',@`{name}`=NULL")
}

/// In front of a number: the collation of its variable is binary, which shows when it becomes NULL.
pub(super) const BINARY: &str = "/*binary*/";

/// What makes the collation of such variables binary again: assignments that are read and never run (seen on MariaDB 10.11.18
/// and 11.8.6).
pub(super) fn make_binary(names: &[&str]) -> Option<String> {
    let assigned: Vec<String> = names.iter().map(|name| format!("IF(1,0,@`{name}`:=_binary'')")).collect();
    (!names.is_empty()).then(|| format!("DO {}", assigned.join(",")))
}

/// Whether a literal is a number, or NULL in its place.
pub(super) fn is_number(literal: &str) -> bool {
    let plain = literal.strip_prefix(BINARY).unwrap_or(literal);
    let numbers = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    matches!(plain, "TRUE" | "FALSE")
        || plain.starts_with("CAST(")
        || plain.bytes().next().is_some_and(numbers)
}

/// What a variable with this literal is when it becomes NULL. `None`: its type is not plain to see.
pub(super) fn nulled(name: &str, literal: &str) -> Option<String> {
    if literal.ends_with("=NULL") {
        return Some(literal.to_owned());
    }
    if let Some(number) = literal.strip_prefix(BINARY) {
        return nulled(name, number).map(|null| format!("{BINARY}{null}"));
    }
    let digits = literal.strip_prefix('-').unwrap_or(literal);
    let sample = if literal.starts_with("CAST(") && literal.ends_with(" AS UNSIGNED)") {
        "CAST(0 AS UNSIGNED)".to_owned()
    } else if matches!(literal, "TRUE" | "FALSE") || literal.parse::<i64>().is_ok() {
        "0".to_owned()
    } else if digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        let real = digits.contains(['e', 'E']);
        (real || digits.contains('.')).then(|| if real { "0e0" } else { "0.0" }.to_owned())?
    } else if literal.starts_with('\'') {
        "''".to_owned()
    } else if let Some((charset, rest)) = literal.split_once(" X'") {
        let collation = rest.split_once("' COLLATE ").map(|(_, name)| format!(" COLLATE {name}"));
        charset.starts_with('_').then_some(())?;
        format!("{charset}''{}", collation.unwrap_or_default())
    } else {
        return None;
    };
    Some(format!("{sample},@`{name}`=NULL"))
}

#[cfg(test)]
mod tests {
    use super::{is_number, nulled};

    #[test]
    fn a_variable_that_becomes_null_keeps_its_type() {
        for (literal, sample) in [
            ("5", Some("0")),
            ("-5", Some("0")),
            ("TRUE", Some("0")),
            ("18446744073709551615", None),
            ("CAST(7 AS UNSIGNED)", Some("CAST(0 AS UNSIGNED)")),
            ("1.5", Some("0.0")),
            (".5", Some("0.0")),
            ("-2e10", Some("0e0")),
            ("'it''s'", Some("''")),
            ("_latin1 X'E4' COLLATE latin1_bin", Some("_latin1'' COLLATE latin1_bin")),
            ("_binary X'00'", Some("_binary''")),
            ("/*binary*/-5", Some("/*binary*/0")),
            ("", None),
        ] {
            let wanted = sample.map(|sample| format!("{sample},@`a`=NULL"));
            assert_eq!(nulled("a", literal), wanted, "{literal}");
            if let Some(null) = wanted {
                assert_eq!(is_number(&null), sample.is_some_and(|s| !s.contains('\'')), "{null}");
                assert_eq!(nulled("a", &null), Some(null));
            }
        }
    }
}
