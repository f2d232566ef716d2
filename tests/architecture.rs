//! Who may import whom, which code is PURE, who may name which crate. The rules are the data below; `ARCHITECTURE.md`
//! shows the same tables, and a test compares the two. Read from the sources as text: comments, strings and test
//! modules do not count.

use std::collections::BTreeMap;
use std::fs;

#[path = "support/source.rs"]
mod source;

use source::{Source, imports, lines_naming, root, rust_files, sources};

/// One module of `src/` and what of the others it may name: a module, or one item of it. A row may import rows below
/// it only.
struct Row {
    module: &'static str,
    may: &'static [&'static str],
}

const fn row(module: &'static str, may: &'static [&'static str]) -> Row {
    Row { module, may }
}

const TABLE: &[Row] = &[
    row(
        "cli",
        &[
            "app",
            "admin",
            "demo",
            "switchover",
            "guard",
            "monitor",
            "backend",
            "net",
            "flight",
            "route",
            "topology",
            "sql",
        ],
    ),
    row("demo", &[]),
    row(
        "app",
        &[
            "admin",
            "frontend",
            "switchover",
            "guard",
            "monitor",
            "relay",
            "backend",
            "net",
            "metrics",
            "gate",
            "flight",
            "route",
            "topology",
            "session",
            "replay",
        ],
    ),
    row(
        "admin",
        &[
            "frontend::SessionRegistry",
            "guard::Guard",
            "switchover",
            "backend",
            "net::AdminListener",
            "metrics",
            "gate",
            "flight",
            "route",
            "topology",
        ],
    ),
    row(
        "frontend",
        &[
            "guard", "replay", "monitor", "relay", "backend", "net", "metrics", "gate", "flight", "route",
            "topology", "session", "sql",
        ],
    ),
    row("switchover", &["monitor", "backend", "gate", "flight", "topology"]),
    row("guard", &["backend", "topology", "sql"]),
    row("monitor", &["backend", "topology"]),
    row("replay", &["topology", "session", "sql"]),
    row("relay", &["net"]),
    row("backend", &["net", "topology", "session"]),
    row("net", &[]),
    row("metrics", &[]),
    row("gate", &[]),
    row("flight", &["topology"]),
    row("route", &["topology", "sql"]),
    row("topology", &[]),
    row("session", &["sql"]),
    row("sql", &[]),
];

/// Modules, or single files of modules, that decide and do nothing else.
const PURE: &[&str] = &[
    "sql",
    "session",
    "replay",
    "flight::record",
    "flight::ledger",
    "route::choice",
    "route::classify",
    "route::position",
    "route::why",
    "topology::model",
    "topology::gtid",
    "monitor::judge",
    "monitor::observation",
    "switchover::phase",
    "switchover::statements",
    "switchover::rights",
    "demo::picture",
    "demo::summary",
];

/// What PURE code may not name: no runtime, log, clock, socket, file, environment or randomness.
const IMPURE: &[&str] = &[
    "tokio",
    "tokio_util",
    "tracing",
    "Instant::now",
    "SystemTime",
    "rand",
    "aws_lc_rs",
    "parking_lot",
    "std::net",
    "std::fs",
    "std::env",
    "std::thread",
    "async",
    "await",
];

/// Names of crates and sockets that are for some modules alone.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("tokio::net", &["net"]),
    ("std::net::TcpStream", &["net"]),
    ("std::net::TcpListener", &["net"]),
    ("std::os::unix::net", &["net"]),
    ("socket2", &["net"]),
    ("rustls", &["net"]),
    ("tokio_rustls", &["net"]),
    ("axum", &["admin"]),
    ("hyper", &["cli"]),
    ("hyper_util", &["cli"]),
    ("clap", &["cli", "main"]),
    ("prometheus", &["metrics"]),
    ("thread_priority", &["app"]),
    ("tideover_config", &["app", "cli"]),
    ("tideover_protocol", &["app", "frontend", "guard", "relay", "backend", "net"]),
    ("tideover_sandbox", &["cli", "demo"]),
    ("mysql_async", &[]),
    ("sqlparser", &[]),
];

/// Files that may be longer than [`MAX_LINES`], each with a reason. None is.
const LONG_FILES: &[(&str, &str)] = &[];
/// Lines of a file.
const MAX_LINES: usize = 500;

/// `static` items other than tables of constants. None may hold what one part tells another.
const STATICS: &[(&str, &str)] = &[(
    "backend/account.rs",
    "the process's random key of account ids: a secret's id must tell nothing about it",
)];

fn is_pure(source: &Source) -> bool {
    let path = source.module.join("::");
    PURE.iter().any(|pure| path == *pure || path.starts_with(&format!("{pure}::")))
}

fn none(found: &[String], what: &str) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn every_module_has_a_row_and_every_row_a_module() {
    let mut there: Vec<String> = fs::read_dir(root().join("src"))
        .expect("src")
        .map(|e| e.expect("an entry").file_name().into_string().expect("a name in UTF-8"))
        .map(|name| name.trim_end_matches(".rs").to_owned())
        .filter(|name| !["lib", "main"].contains(&name.as_str()))
        .collect();
    let mut rows: Vec<String> = TABLE.iter().map(|r| r.module.to_owned()).collect();
    there.sort();
    rows.sort();
    assert_eq!(there, rows);
}

#[test]
fn rows_import_rows_below_them() {
    let order: Vec<&str> = TABLE.iter().map(|r| r.module).collect();
    for (at, row) in TABLE.iter().enumerate() {
        for may in row.may {
            let module = may.split("::").next().unwrap_or_default();
            let below = order.iter().position(|m| *m == module).is_some_and(|other| other > at);
            assert!(below, "{} may import {may}, which is no row below it", row.module);
        }
    }
}

#[test]
fn imports_follow_the_table() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        let own = source.module.first().cloned().unwrap_or_default();
        if own == "lib" || own == "main" {
            continue;
        }
        let row = TABLE.iter().find(|r| r.module == own).expect("a row, as another test says");
        for (line, module, item) in imports(&source) {
            let path = format!("{module}::{item}");
            if module != own && !row.may.iter().any(|may| *may == module || *may == path) {
                wrong.push(format!("src/{}:{line}: {own} may not import {path}", source.path));
            }
        }
    }
    none(&wrong, "imports against the table of ARCHITECTURE.md");
}

/// A file is PURE if the list has it or its first lines say so.
#[test]
fn pure_code_names_nothing_impure() {
    let mut wrong = Vec::new();
    let protocol = sources("protocol/src").into_iter().map(|s| (s, true));
    let own = sources("src").into_iter().map(|s| {
        let pure = is_pure(&s) || s.says_pure;
        (s, pure)
    });
    for (source, _) in protocol.chain(own).filter(|(source, pure)| *pure && !source.is_test) {
        // The type of an instant that came in as a value; asking the clock is another matter.
        let text = source.text.replace("use tokio::time::Instant;", "");
        for name in IMPURE {
            let lines = lines_naming(&text, name);
            wrong.extend(lines.iter().map(|line| format!("{}:{line}: {name} in PURE code", source.path)));
        }
    }
    none(&wrong, "PURE code that is not");
}

#[test]
fn some_names_are_for_some_modules_alone() {
    let mut wrong = Vec::new();
    for source in sources("src").iter().filter(|s| !s.is_test) {
        let own = source.module.first().map(String::as_str).unwrap_or_default();
        for (name, only) in ONLY_IN.iter().filter(|(_, only)| !only.contains(&own)) {
            let lines = lines_naming(&source.text, name);
            wrong.extend(
                lines.iter().map(|l| format!("src/{}:{l}: {name} is for {only:?} alone", source.path)),
            );
        }
    }
    none(&wrong, "names in the wrong place");
}

#[test]
fn the_crates_know_nothing_of_each_other() {
    for (name, may) in [("protocol", &[][..]), ("config", &[][..]), ("sandbox", &[][..])] {
        let text = fs::read_to_string(root().join(name).join("Cargo.toml")).expect("a manifest");
        let manifest: BTreeMap<String, toml::Value> = toml::from_str(&text).expect("TOML");
        let Some(toml::Value::Table(dependencies)) = manifest.get("dependencies") else { continue };
        let ours = dependencies.keys().filter(|k| k.starts_with("tideover-"));
        let ours: Vec<&String> = ours.filter(|k| !may.contains(&k.as_str())).collect();
        assert!(ours.is_empty(), "{name} depends on {ours:?}");
        let runtime = ["tokio", "tokio-util"].iter().any(|k| dependencies.contains_key(*k));
        assert!(name == "sandbox" || !runtime, "{name} does no input or output");
    }
}

#[test]
fn no_unwrap_no_unsafe_no_globals() {
    let mut wrong = Vec::new();
    for folder in ["src", "protocol/src", "config/src", "sandbox/src"] {
        for source in sources(folder) {
            let mut say = |what: &str, lines: Vec<usize>| {
                wrong.extend(lines.iter().map(|l| format!("{folder}/{}:{l}: {what}", source.path)));
            };
            say("unsafe", lines_naming(&source.text, "unsafe"));
            if source.is_test {
                continue;
            }
            let unwraps = source.text.lines().enumerate().filter(|(_, l)| l.contains(".unwrap()"));
            say("unwrap", unwraps.map(|(at, _)| at + 1).collect());
            let excepted = STATICS.iter().any(|(path, _)| *path == source.path);
            let states = source.text.lines().enumerate().filter(|(_, l)| is_shared_state(l) && !excepted);
            if folder == "src" {
                say("global state", states.map(|(at, _)| at + 1).collect());
            }
        }
    }
    none(&wrong, "against the rules");
}

fn is_shared_state(line: &str) -> bool {
    let shared = ["Atomic", "Mutex", "RwLock", "OnceLock", "OnceCell", "LazyLock", "ArcSwap", "Cell<"];
    let line = line.trim_start();
    line.contains("thread_local!")
        || (line.starts_with("static ")
            || line.starts_with("pub static ")
            || line.starts_with("pub(crate) static "))
            && shared.iter().any(|s| line.contains(s))
}

#[test]
fn files_stay_short() {
    let mut files = Vec::new();
    rust_files(root(), &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let name = file.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
        let lines = fs::read_to_string(&file).expect("a source file").lines().count();
        let excepted = LONG_FILES.iter().any(|(path, _)| *path == name);
        if lines > MAX_LINES && !excepted {
            wrong.push(format!("{name}: {lines} lines"));
        }
    }
    none(&wrong, "files of more than 500 lines");
}

/// The rows of the Markdown table under the heading `heading` of ARCHITECTURE.md, cell by cell.
fn table(heading: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let below = text.split_once(&format!("## {heading}\n")).expect("the heading").1;
    let rows = below.lines().skip_while(|l| !l.starts_with('|')).take_while(|l| l.starts_with('|')).skip(2);
    rows.map(|l| l.trim_matches('|').split('|').map(|c| c.trim().to_owned()).collect()).collect()
}

/// What stands in backticks in a cell, in order.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_document_shows_these_tables() {
    let imports = table("Who may import whom");
    let shown: Vec<(Vec<&str>, Vec<&str>)> = imports.iter().map(|c| (quoted(&c[0]), quoted(&c[1]))).collect();
    let rows: Vec<(Vec<&str>, Vec<&str>)> = TABLE.iter().map(|r| (vec![r.module], r.may.to_vec())).collect();
    assert_eq!(shown, rows, "the import table");

    let names = table("Names for some modules alone");
    let shown: Vec<(Vec<&str>, Vec<&str>)> = names.iter().map(|c| (quoted(&c[0]), quoted(&c[1]))).collect();
    let rows: Vec<(Vec<&str>, Vec<&str>)> =
        ONLY_IN.iter().map(|(n, only)| (vec![*n], only.to_vec())).collect();
    assert_eq!(shown, rows, "the table of names");

    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let pure = text.lines().find(|l| l.starts_with("PURE:")).expect("a line that begins with PURE:");
    assert_eq!(quoted(pure), PURE, "what is PURE");
    assert!(text.lines().count() <= 300, "ARCHITECTURE.md has more than 300 lines");
}

/// The reader of sources sees what it must, or all of the above would pass for nothing.
#[test]
fn the_reader_sees_through_disguises() {
    let source = |text: &str| Source::of("frontend/run.rs", text);
    let raw = r###"
use crate::switchover::{Coordinator, phase::{Phase, step}}; // crate::admin
/* crate::app */ const A: &str = "crate::cli"; const B: &str = r#"crate::demo "quoted" "#; const C: char = '"';
fn f<'a>(x: &'a super::super::net::Raw) {}
use super::super::super::above;
use crate::{gate::Gate, metrics};
#[cfg(test)]
mod tests { use crate::backend::Pools; fn g() { x.unwrap(); } }
fn h() { tokio::time::sleep(); }
use tokio::{net::TcpStream, sync};
"###;
    let read = source(raw);
    let seen: Vec<String> =
        imports(&read).into_iter().map(|(line, m, i)| format!("{line} {m} {i}")).collect();
    let wanted = ["2 switchover Coordinator", "2 switchover phase", "6 gate Gate", "6 metrics ", "4 net Raw"];
    assert_eq!(seen, wanted);
    assert_eq!(lines_naming(&read.text, "tokio::net"), [10]);
    assert_eq!(lines_naming(&read.text, "tokio"), [9, 10]);
    assert!(!read.text.contains("unwrap"));
}
