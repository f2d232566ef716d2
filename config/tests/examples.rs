//! Every sample loads, and `full.toml` leaves no key out.

use std::path::{Path, PathBuf};

use tideover_config::{Config, keys, load};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

fn example(name: &str) -> Config {
    load(Some(&examples().join(name)), [], &[]).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn every_sample_loads() {
    let mut count = 0;
    for entry in std::fs::read_dir(examples()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let _ = example(&name);
        count += 1;
    }
    assert!(count >= 4);
}

#[test]
fn full_mentions_every_key() {
    let text = std::fs::read_to_string(examples().join("full.toml")).unwrap();
    let mut table = String::new();
    let mut mentioned = Vec::new();
    for line in text.lines() {
        let line = line.trim_start_matches("# ");
        if let Some(name) = line.strip_prefix('[') {
            table = name.trim_matches(['[', ']']).to_owned() + ".";
        } else if let Some((key, _)) = line.split_once(" = ") {
            mentioned.push(format!("{table}{key}"));
        }
    }
    let missing: Vec<_> = keys().into_iter().filter(|key| !mentioned.contains(key)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// What stands in `full.toml` as defaults are the defaults.
#[test]
fn full_shows_the_defaults() {
    let (minimal, full) = (example("minimal.toml"), example("full.toml"));
    let chosen = [
        "listen",
        "admin.token",
        "auth.mode",
        "tls.cert_file",
        "tls.key_file",
        "tls.client_ca_file",
        "server_tls.ca_file",
        "switchover.replication_user",
        "switchover.replication_password",
    ];
    let different: Vec<_> = tideover_config::diff(&minimal, &full)
        .into_iter()
        .map(|difference| difference.key)
        .filter(|key| !chosen.contains(&key.as_str()) && !key.starts_with("user."))
        .collect();
    assert!(different.is_empty(), "{different:?}");
}
