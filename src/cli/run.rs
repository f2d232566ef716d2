//! `tideover run`.

use tideover_config::{Config, LogFormat};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::app::{App, Settings};

use super::arguments::ConfigOptions;
use super::configuration::load;
use super::tell;

/// Runs the proxy until it is told to leave. Exit code 2 for anything wrong with the configuration.
pub(super) async fn run(options: ConfigOptions) -> u8 {
    let config = match load(&options) {
        Ok(config) => config,
        Err(problems) => {
            tell(&problems.to_string());
            return 2;
        }
    };
    start_log(&config);
    let app = match App::start(Settings::from(&config)).await {
        Ok(app) => app,
        Err(error) => {
            tell(&format!("tideover: {error}"));
            return 2;
        }
    };
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tell("tideover: signals cannot be handled");
        return 1;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = app.asked_to_leave() => {}
    }
    // A second signal ends it at once.
    tokio::select! {
        () = app.shut_down() => 0,
        _ = terminate.recv() => 1,
        _ = interrupt.recv() => 1,
    }
}

/// `log.level` counts unless `RUST_LOG` says more.
fn start_log(config: &Config) {
    let level = config.log.level.name();
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| format!("{level},rustls=warn,hyper=warn"));
    let log = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_env_filter(EnvFilter::new(filter));
    let _ = match config.log.format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
}
