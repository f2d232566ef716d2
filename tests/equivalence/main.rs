//! Behind the proxy everything answers as the server itself does: a corpus of statements and protocol scripts is sent
//! directly to a server and through the proxy to an identical one, and every byte of the answers is compared. Behind the
//! proxy other sessions exchange the server connections between any two units of work.

#![allow(clippy::unwrap_used, reason = "a failing helper fails its test")]
#![allow(clippy::disallowed_types, reason = "its client is of its own, on a plain socket")]
#![allow(clippy::print_stdout, reason = "what was compared is for people")]

mod answer;
mod generate;
mod ids;
mod logins;
mod packed;
mod pair;
mod progress;
mod script;
mod session;
#[path = "../support/mod.rs"]
mod support;
mod wide;
mod wire;

use generate::{Sort, scripts};
use pair::{COMPRESSED, MODERN, OLD, Pair};
use script::{Script, Step, parse};
use session::Mode;
use support::{TestResult, length};
use tideover_sandbox::servers::Flavor;

const CORPUS: [(&str, &str); 9] = [
    ("user_variables", include_str!("corpus/user_variables.sql")),
    ("variables", include_str!("corpus/variables.sql")),
    ("counts", include_str!("corpus/counts.sql")),
    ("prepared", include_str!("corpus/prepared.sql")),
    ("commands", include_str!("corpus/commands.sql")),
    ("rare", include_str!("corpus/rare.sql")),
    ("answers", include_str!("corpus/answers.sql")),
    ("values", include_str!("corpus/values.sql")),
    ("texts", include_str!("corpus/texts.sql")),
];
/// Files of long scripts: in `make test` each of them is sent in two of the ways, in `make soak` in all.
const LONG: [&str; 3] = ["answers", "values", "texts"];

#[tokio::test]
async fn mariadb_10_11_answers_are_the_servers() -> TestResult {
    answers_are_the_servers(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mariadb_11_8_answers_are_the_servers() -> TestResult {
    answers_are_the_servers(Flavor::MariaDb118).await
}

#[tokio::test]
async fn mysql_9_answers_are_the_servers() -> TestResult {
    answers_are_the_servers(Flavor::Mysql9).await
}

/// Scripts of either sort, plain and wide, that a generator makes up for each way to send them, in `make test` and in
/// `make soak`.
const MADE_UP: (u64, u64) = (6, 120);
/// Wide ones have other seeds.
const WIDE: u64 = 500;

/// `TIDEOVER_CORPUS` names a file of scripts to be run in place of all others, `TIDEOVER_ONLY` a part of their titles,
/// `TIDEOVER_WAY` the one way to send them (0 to 4), `TIDEOVER_TRACE` has each shown as it begins.
async fn answers_are_the_servers(flavor: Flavor) -> TestResult {
    let mut pair = Pair::start(flavor).await?;
    let runs = [
        (Mode::Text, MODERN),
        (Mode::Prepared, MODERN),
        (Mode::Cursor, MODERN),
        (Mode::Text, OLD),
        (Mode::Text, COMPRESSED),
    ];
    let way = std::env::var("TIDEOVER_WAY").ok();
    for (salt, (mode, capabilities)) in runs.into_iter().enumerate() {
        if way.as_ref().is_some_and(|way| *way != salt.to_string()) {
            continue;
        }
        let mut scripts = match std::env::var("TIDEOVER_CORPUS") {
            Ok(file) => parse("file", &std::fs::read_to_string(file)?, salt),
            Err(_) => CORPUS.iter().flat_map(|(name, text)| parse(name, text, salt)).collect(),
        };
        if length(true, false) {
            scripts.retain(|script| script.is_for(salt, &LONG));
        }
        scripts.extend(made_up(salt, mode, flavor));
        if let Ok(only) = std::env::var("TIDEOVER_ONLY") {
            scripts.retain(|script| script.title.contains(&only));
        }
        if let Err(error) = pair.run(&scripts, mode, capabilities).await {
            pair.differences.push(format!("{mode:?} ended early: {error}"));
            break;
        }
    }
    println!(
        "{}: {} compared in {} scripts, {} moved",
        flavor.name(),
        pair.compared,
        pair.scripts,
        pair.shuffled
    );
    assert!(
        pair.differences.is_empty(),
        "{} differ:\n{}",
        pair.differences.len(),
        pair.differences.join("\n")
    );
    pair.scene.finish()
}

/// Each run has seeds of its own; `TIDEOVER_SEED` begins elsewhere.
fn made_up(salt: usize, mode: Mode, flavor: Flavor) -> Vec<Script> {
    let first = std::env::var("TIDEOVER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    let count = length(MADE_UP.0, MADE_UP.1);
    let first = first + salt as u64 * 1000;
    let (plain, wide) = match mode {
        Mode::Text => (Sort::Commands, Sort::WideCommands),
        Mode::Prepared | Mode::Cursor => (Sort::Plain, Sort::Wide),
    };
    let wider = first + WIDE;
    let texts = scripts(first..first + count, plain, flavor) + &scripts(wider..wider + count, wide, flavor);
    // The variables of each have names of their own, as those of the corpus have.
    let mut scripts = parse("generated", &texts, 5 + salt);
    if mode == Mode::Cursor {
        // A cursor's rows are not counted as they are fetched.
        let counts = |step: &Step| matches!(step, Step::Statement(text, _) if text.contains("FOUND_ROWS"));
        scripts.iter_mut().for_each(|script| script.steps.retain(|step| !counts(step)));
    }
    scripts
}
