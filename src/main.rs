//! The `tideover` program.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    tideover::cli::main(tideover::cli::Arguments::parse())
}
