//! Sources as text without what does not count, and the paths named in them. For `tests/architecture.rs`.

use std::fs;
use std::path::{Path, PathBuf};

/// A source file without comments, strings and test modules; lines keep their numbers.
pub(crate) struct Source {
    /// Relative to `src/`.
    pub(crate) path: String,
    /// `["frontend", "run"]`; for a `mod.rs` that of its folder.
    pub(crate) module: Vec<String>,
    pub(crate) text: String,
    /// Whether it is a test as a whole.
    pub(crate) is_test: bool,
    /// The module's doc says PURE.
    pub(crate) says_pure: bool,
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn rust_files(under: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(under).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                rust_files(&path, found);
            }
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
    found.sort();
}

pub(crate) fn sources(folder: &str) -> Vec<Source> {
    let base = root().join(folder);
    let mut files = Vec::new();
    rust_files(&base, &mut files);
    files.iter().map(|file| source(&base, file)).collect()
}

fn source(base: &Path, file: &Path) -> Source {
    let raw = fs::read_to_string(file).expect("a source file in UTF-8");
    Source::of(&file.strip_prefix(base).expect("below the base").to_string_lossy(), &raw)
}

impl Source {
    /// The source at `path` (below `src/`) with this text.
    pub(crate) fn of(path: &str, raw: &str) -> Self {
        let mut module: Vec<String> = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if module.last().is_some_and(|last| last == "mod") {
            module.pop();
        }
        let is_test = module.iter().any(|part| part == "tests");
        let docs: String = raw.lines().take_while(|l| l.starts_with("//!")).collect::<Vec<_>>().join(" ");
        let says_pure = docs.contains("PURE.") || docs.contains("PURE:");
        Self { path: path.to_owned(), module, text: without_tests(&without_text(raw)), is_test, says_pure }
    }
}

/// Blanks comments and literals; newlines stay.
fn without_text(raw: &str) -> String {
    let bytes = raw.as_bytes();
    let mut out = raw.as_bytes().to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_end(bytes, at);
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The end of the comment or literal that starts at `at`; `at` itself if none does.
fn literal_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let until = |what: &[u8], from: usize| {
        let found = rest.get(from..).and_then(|r| r.windows(what.len()).position(|w| w == what));
        at + found.map_or(rest.len(), |f| from + f + what.len())
    };
    let after_word = at > 0 && is_word(bytes[at - 1]);
    match rest {
        [b'/', b'/', ..] => until(b"\n", 2) - 1,
        [b'/', b'*', ..] => until(b"*/", 2),
        [b'r', b'"' | b'#', ..] if !after_word => {
            let hashes = rest[1..].iter().take_while(|b| **b == b'#').count();
            if rest.get(1 + hashes) != Some(&b'"') {
                return at;
            }
            let closing: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
            until(&closing, 2 + hashes)
        }
        [b'"', ..] => {
            let mut end = 1;
            while end < rest.len() && rest[end] != b'"' {
                end += if rest[end] == b'\\' { 2 } else { 1 };
            }
            at + (end + 1).min(rest.len())
        }
        [b'\'', b'\\', ..] => until(b"'", 3),
        [b'\'', _, b'\'', ..] => at + 3,
        _ => at,
    }
}

/// Blanks items under `#[cfg(test)]`.
fn without_tests(text: &str) -> String {
    let mut out = text.as_bytes().to_vec();
    let mut from = 0;
    while let Some(found) = text[from..].find("#[cfg(test)]") {
        let start = from + found;
        let end = item_end(text.as_bytes(), start);
        for byte in &mut out[start..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        from = end;
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn item_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0;
    for (at, byte) in bytes.iter().enumerate().skip(start) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return at + 1,
            b'}' => depth -= 1,
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    bytes.len()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Line numbers where `name` stands as a whole path, `a::{… b …}` for `a::b` included.
pub(crate) fn lines_naming(text: &str, name: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let whole = |at: usize, len: usize| {
        let before = at == 0 || !is_word(bytes[at - 1]) && bytes[at - 1] != b':';
        before && bytes.get(at + len).is_none_or(|b| !is_word(*b))
    };
    let line = |at: usize| text[..at].matches('\n').count() + 1;
    let mut lines: Vec<usize> =
        text.match_indices(name).filter(|(at, _)| whole(*at, name.len())).map(|(at, _)| line(at)).collect();
    if let Some((parent, last)) = name.rsplit_once("::") {
        let group = format!("{parent}::{{");
        for (at, _) in text.match_indices(&group) {
            let inside = &text[at + group.len()..item_end(bytes, at).max(at + group.len())];
            if inside.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == last) {
                lines.push(line(at));
            }
        }
    }
    lines
}

/// What a file names of our other modules: line, module, item.
pub(crate) fn imports(source: &Source) -> Vec<(usize, String, String)> {
    let mut found = Vec::new();
    let text = &source.text;
    let starts = ["crate::", "super::"];
    for start in starts {
        for (at, _) in text.match_indices(start) {
            if text[..at].ends_with("super::") || at > 0 && is_word(text.as_bytes()[at - 1]) {
                continue;
            }
            let mut rest = &text[at..];
            let mut ups = 0;
            while let Some(next) = rest.strip_prefix("super::") {
                (rest, ups) = (next, ups + 1);
            }
            rest = rest.strip_prefix("crate::").unwrap_or(rest);
            if ups > 0 && ups != source.module.len() {
                continue;
            }
            let line = text[..at].matches('\n').count() + 1;
            found.extend(targets(rest).into_iter().map(|(module, item)| (line, module, item)));
        }
    }
    found
}

/// `a::{b, c::d}` gives (a, b) and (a, c); `{a::b, c}` gives (a, b) and (c, "").
fn targets(rest: &str) -> Vec<(String, String)> {
    if let Some(group) = group(rest) {
        return group.iter().flat_map(|part| targets(part)).collect();
    }
    let (module, after) = word(rest);
    let Some(after) = after.strip_prefix("::") else { return vec![(module.to_owned(), String::new())] };
    match group(after) {
        Some(items) => items.iter().map(|item| (module.to_owned(), word(item).0.to_owned())).collect(),
        None => vec![(module.to_owned(), word(after).0.to_owned())],
    }
}

fn word(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(|b| is_word(*b)).count())
}

/// The parts of `{…}` at the start of `text`, split at its own commas.
fn group(text: &str) -> Option<Vec<&str>> {
    let inside = text.strip_prefix('{')?;
    let (mut depth, mut from, mut parts) = (0, 0, Vec::new());
    for (at, byte) in inside.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => {
                parts.push(inside[from..at].trim());
                break;
            }
            b'}' => depth -= 1,
            b',' if depth == 0 => {
                parts.push(inside[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.retain(|part| !part.is_empty());
    Some(parts)
}
