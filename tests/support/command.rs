//! The commands of the program, as somebody at a terminal runs them.

use std::{process::Stdio, time::Duration};

use serde_json::Value;
use tokio::{process::Command, time::timeout};

use super::{TestResult, program};

/// How long a command may take with all its time-outs.
const LIMIT: Duration = Duration::from_secs(120);

/// What a command has come to.
#[derive(Debug)]
pub(crate) struct Output {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// The one JSON document on standard output.
    pub(crate) fn json(&self) -> TestResult<Value> {
        serde_json::from_str(&self.stdout).map_err(|error| format!("{error}: {self:?}").into())
    }
}

/// Runs `tideover` with these arguments and environment variables to its end.
pub(crate) async fn tideover(arguments: &[&str], environment: &[(&str, &str)]) -> TestResult<Output> {
    let mut command = Command::new(program());
    command.args(arguments).envs(environment.iter().copied());
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(LIMIT, command.output()).await??;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Output { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) })
}
