//! `tideover run`.

use tideover_config::{Config, LogFormat, LogLevel};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::app::{App, Settings, Source};

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
    let log_level = start_log(&config);
    let settings = Settings::from(&config);
    let load = Box::new(move || load(&options).map_err(|problems| problems.to_string()));
    let app = match App::start(settings, Some(Source { config, load, log_level })).await {
        Ok(app) => app,
        Err(error) => {
            tell(&format!("tideover: {error}"));
            return 2;
        }
    };
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()))
    else {
        tell("tideover: signals cannot be handled");
        return 1;
    };
    let commanded = loop {
        tokio::select! {
            _ = terminate.recv() => break false,
            _ = interrupt.recv() => break false,
            () = app.asked_to_leave() => break true,
            _ = hangup.recv() => {
                if let Err(problems) = app.reload() {
                    tracing::error!("not reloaded, nothing has changed: {problems}");
                }
            }
        }
    };
    // A second signal ends it at once. Behind a preStop hook (`tideover drain`) comes the first one, which must not cut what
    // the hook has asked to be finished.
    tokio::select! {
        () = app.shut_down() => 0,
        () = async {
            for _ in 0..=usize::from(commanded) {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            }
        } => 1,
    }
}

/// `log.level` counts unless `RUST_LOG` says more. Gives what changes the level later.
fn start_log(config: &Config) -> Box<dyn Fn(LogLevel) + Send + Sync> {
    let fixed = std::env::var("RUST_LOG").ok();
    let filter = |level: LogLevel| EnvFilter::new(format!("{},rustls=warn,hyper=warn", level.name()));
    let first = fixed.as_ref().map_or_else(|| filter(config.log.level), EnvFilter::new);
    let (first, handle) = tracing_subscriber::reload::Layer::new(first);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let registry = tracing_subscriber::registry().with(first);
    let _ = match config.log.format {
        LogFormat::Text => registry.with(lines).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    };
    Box::new(move |level| {
        if fixed.is_none() {
            // Fails only where no log was started.
            let _ = handle.reload(filter(level));
        }
    })
}
