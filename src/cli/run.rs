//! `tideover run`.

use tokio::signal::unix::{SignalKind, signal};

use crate::app::App;

use super::arguments::RunOptions;
use super::tell;

/// Runs the proxy until it is told to leave. Exit code 2 for anything wrong with the configuration.
pub(super) async fn run(options: RunOptions) -> u8 {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let settings = super::quick::settings(&options);
    let app = match App::start(settings).await {
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
    tokio::select! {
        () = app.shut_down() => 0,
        _ = terminate.recv() => 1,
        _ = interrupt.recv() => 1,
    }
}
