//! The README says what is there: every key, metric, command and file of it, and no others.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows of the first table below a heading, cell by cell.
fn table<'a>(text: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let below =
        text.split_once(&format!("# {heading}\n")).unwrap_or_else(|| panic!("no heading {heading}")).1;
    let rows = below.lines().skip_while(|l| !l.starts_with('|')).take_while(|l| l.starts_with('|')).skip(2);
    rows.map(|l| l.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// What stands in backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_key_of_the_configuration_is_described() {
    let text = read("README.md");
    let mut section = String::new();
    let mut described = BTreeSet::new();
    for row in table(&text, "Configuration") {
        for name in quoted(row[0]) {
            if let Some(name) = name.strip_prefix('[') {
                section = name.trim_start_matches('[').trim_end_matches(']').to_owned() + ".";
            } else {
                described.insert(format!("{section}{name}"));
            }
        }
    }
    // The example has every key, as a test of the configuration crate says; some in comments.
    let mut section = String::new();
    let mut there = BTreeSet::new();
    for line in read("config/examples/full.toml").lines() {
        let line = line.trim_start_matches("# ");
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_start_matches('[').trim_end_matches(']').to_owned() + ".";
        } else if let Some((key, _)) = line.split_once(" = ")
            && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        {
            there.insert(format!("{section}{key}"));
        }
    }
    assert_eq!(described, there);
}

/// Defaults are what an empty configuration gives, as the example shows them.
#[test]
fn defaults_are_the_defaults() {
    let text = read("README.md");
    let example: toml::Table = toml::from_str(&read("config/examples/full.toml")).expect("TOML");
    let mut section = String::new();
    for row in table(&text, "Configuration") {
        let name = quoted(row[0])[0];
        if let Some(name) = name.strip_prefix('[') {
            section = name.trim_start_matches('[').trim_end_matches(']').to_owned();
            continue;
        }
        // The example of accounts is one with a list.
        let [default] = quoted(row[1])[..] else { continue };
        if section == "auth" {
            continue;
        }
        let table = if section.is_empty() {
            Some(&example)
        } else {
            example.get(&section).and_then(|t| t.as_table())
        };
        let shown = table.and_then(|t| t.get(name)).map(ToString::to_string);
        assert_eq!(shown.as_deref(), Some(default), "{section}.{name}");
    }
}

#[test]
fn every_metric_is_described() {
    let text = read("README.md");
    let rows = table(&text, "Metrics");
    let described: BTreeSet<&str> =
        rows.iter().flat_map(|r| quoted(r[0])).map(|n| n.split('{').next().unwrap_or_default()).collect();
    let source = read("src/metrics/mod.rs");
    let there: BTreeSet<&str> =
        source.split('"').skip(1).step_by(2).filter(|name| name.starts_with("tideover_")).collect();
    assert_eq!(described, there);
}

#[test]
fn files_and_links_are_there() {
    for document in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        let text = read(document);
        let named = text
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|n| n.contains('/') && !n.contains(['{', ' ', ':', '…', '=']));
        let ours = ["config/", "deploy/", "scripts/", "tests/", "src/", "protocol/", "sandbox/", "benches/"];
        for path in named.filter(|n| ours.iter().any(|o| n.starts_with(o))) {
            let there = Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists();
            assert!(there, "{document} names {path}");
        }
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let local = !link.contains("://") && !link.starts_with('#');
            let there = Path::new(env!("CARGO_MANIFEST_DIR")).join(link).exists();
            assert!(!local || there, "{document} links to {link}");
        }
    }
}

/// The words of the errors that the README promises are the words that are sent.
#[test]
fn errors_are_the_errors() {
    let text = read("README.md");
    let source = read("src/frontend/error.rs");
    for row in table(&text, "What a client gets when nothing can be done") {
        for quoted in quoted(row[1]) {
            let code = row[1].split(' ').next().unwrap_or_default();
            assert!(source.contains(code), "{code} is not in src/frontend/error.rs");
            for words in quoted.split(['…', ':', ';', '(']).map(str::trim).filter(|w| w.len() > 14) {
                let words = words.replace(" for 30 s", "");
                assert!(
                    source.contains(&words) || read("src/backend/acquire.rs").contains(&words),
                    "{words}"
                );
            }
        }
    }
}
