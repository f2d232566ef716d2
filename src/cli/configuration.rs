//! Reads the configuration as every command does: file, environment, options.

use std::path::Path;

use tideover_config::{Config, Override, Problems};

use super::arguments::ConfigOptions;

/// Loads and checks; without `-c` and without enough options, `tideover.toml` in the working directory counts.
pub(super) fn load(options: &ConfigOptions) -> Result<Config, Problems> {
    let given = options.config.clone().or_else(|| {
        let usual = Path::new("tideover.toml");
        usual.exists().then(|| usual.to_path_buf())
    });
    let mut overrides = Vec::new();
    let mut add = |option: &str, key: &str, values: &[String]| {
        if !values.is_empty() {
            let (option, key) = (option.to_owned(), key.to_owned());
            overrides.push(Override { option, key, values: values.to_vec() });
        }
    };
    add("--listen", "listen", &options.listen);
    add("--server", "cluster.servers", &options.server);
    add("--monitor-user", "monitor.user", options.monitor_user.as_slice());
    // The options' own environment variables are not keys of the configuration.
    let environment = std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(key, _)| {
            !matches!(key.as_str(), "TIDEOVER_ADMIN" | "TIDEOVER_ADMIN_TOKEN" | "TIDEOVER_CONFIG")
        });
    tideover_config::load(given.as_deref(), environment, &overrides)
}
