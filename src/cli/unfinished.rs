//! Configured values that this version takes and does not act on. Their names are settled, so they are no mistakes; but
//! nobody must believe that they do something. To be emptied as the features come.

use tideover_config::{Config, PoolMode};

/// One sentence for each such value that is set to something other than what is done anyway.
pub(super) fn without_effect(config: &Config) -> Vec<String> {
    let rows = [
        (
            config.pool.mode == PoolMode::Session,
            "pool.mode = \"session\" has no effect yet: it acts like \"transaction\"",
        ),
        (config.pool.min_idle > 0, "pool.min_idle has no effect yet: connections are opened when needed"),
    ];
    rows.into_iter().filter(|(set, _)| *set).map(|(_, text)| text.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_does_nothing() {
        let least = "listen = [\"127.0.0.1:1\"]\n[cluster]\nservers = [\"a:1\"]\n[monitor]\nuser = \"m\"\n";
        let config = tideover_config::parse(least, "least").expect("a configuration");
        assert_eq!(without_effect(&config), Vec::<String>::new());
        let more = format!("{least}[pool]\nmode = \"session\"\nmin_idle = 3\n");
        let config = tideover_config::parse(&more, "more").expect("a configuration");
        let keys: Vec<String> =
            without_effect(&config).iter().filter_map(|t| t.split(' ').next().map(str::to_owned)).collect();
        assert_eq!(keys, ["pool.mode", "pool.min_idle"]);
    }
}
