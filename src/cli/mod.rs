//! The commands. An edge: parses arguments, calls [`crate::app`] or the admin API, prints, and gives the exit code.

mod arguments;
mod check;
mod client;
mod configuration;
mod explain;
mod flights;
mod run;
mod setup;
mod show;
mod switchover;

use std::process::ExitCode;

pub use arguments::Arguments;
use arguments::Command;

/// Runs a command line.
#[must_use]
pub fn main(arguments: Arguments) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tell(&format!("the runtime cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(async {
        match arguments.command {
            Command::Run(options) => run::run(options).await,
            Command::Check(options) => check::check(options).await,
            Command::Status(options) if options.flights => flights::flights(options.admin).await,
            Command::Status(options) => show::status(options).await,
            Command::Explain(options) => explain::explain(&options),
            Command::Switchover(options) => switchover::switchover(options).await,
            Command::Hold(options) => show::hold(options).await,
            Command::Release(options) => show::post(options, "/v1/release").await,
            Command::Drain(options) => show::post(options, "/v1/drain").await,
            Command::Demo(options) => crate::demo::run(options.into()).await,
        }
    });
    ExitCode::from(code)
}

/// Text for people goes to standard error; standard output is for JSON and for what was asked for.
#[allow(clippy::print_stderr)]
pub(crate) fn tell(text: &str) {
    eprintln!("{text}");
}

/// What was asked for.
#[allow(clippy::print_stdout)]
pub(crate) fn print(text: &str) {
    println!("{text}");
}
