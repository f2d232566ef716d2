//! `tideover explain`: where a statement goes, by its text and the rules of the configuration.

use serde_json::json;

use crate::app::Settings;
use crate::route::{Route, Why, route};
use crate::sql::{Dialect, classify};

use super::arguments::{ConfigOptions, ExplainOptions};
use super::client::Failure;
use super::{configuration, print, tell};

/// How current releases with default modes read a text.
const MYSQL: Dialect = Dialect::MYSQL;
const MARIADB: Dialect = Dialect { version: 110_806, ..Dialect::MARIADB };

/// Exit code 0, also for what must stay on the primary; 2 if the configuration is wrong.
pub(super) fn explain(options: &ExplainOptions) -> u8 {
    let routing = match &options.config {
        None => None,
        Some(_) => {
            let file = ConfigOptions {
                config: options.config.clone(),
                listen: vec![],
                server: vec![],
                monitor_user: None,
            };
            match configuration::load(&file) {
                Ok(config) => Some(Settings::from(&config).routing),
                Err(problems) => return Failure::usage(problems.to_string()).told(options.json),
            }
        }
    };
    let text = options.statement.as_bytes();
    let families = [("mariadb", MARIADB), ("mysql", MYSQL)].map(|(family, dialect)| {
        let by_text = route(&classify(text, dialect));
        let Some(routing) = &routing else { return (family, by_text) };
        let rule = routing.rules.decide((options.user.as_bytes(), options.schema.as_bytes()), text, true);
        let decided = match (by_text, rule) {
            (Route::Replica(Why::Reads), Some(true)) => Route::Replica(Why::Rule),
            (Route::Replica(Why::Reads), Some(false)) => Route::Primary(Why::Rule),
            (by_text, _) => by_text,
        };
        (family, decided)
    });
    if options.json {
        let one = |(family, decided): (&str, Route)| {
            let why = decided.why();
            json!({ "servers": family, "to": place(decided), "reason": why.name(), "why": why.words() })
        };
        print(&json!(families.map(one)).to_string());
        return 0;
    }
    let [(_, mariadb), (_, mysql)] = families;
    if mariadb == mysql {
        print(&sentence(mariadb));
    } else {
        families.iter().for_each(|(family, decided)| print(&format!("{family}: {}", sentence(*decided))));
    }
    if routing.is_some_and(|routing| !routing.replicas && routing.rules.0.iter().all(|rule| !rule.replica)) {
        tell("the configuration sends no reads to replicas (routing.reads)");
    }
    0
}

const fn place(decided: Route) -> &'static str {
    if decided.is_replica() { "replica" } else { "primary" }
}

fn sentence(decided: Route) -> String {
    let why = decided.why();
    format!("{} ({}): {}", place(decided), why.name(), why.words())
}
