use std::{fs, net::SocketAddr, process::Command};

use super::ProxyOptions;
use crate::{SandboxError, scratch::Scratch};

/// Runs `tideover check --connect --setup` with the configuration that a proxy with these options would have, which installs
/// the commit marker. Gives what it printed, and whether all was well.
pub async fn set_up(options: &ProxyOptions) -> Result<(String, bool), SandboxError> {
    let scratch = Scratch::new()?;
    let file = scratch.path().join("tideover.toml");
    let nowhere = |port| SocketAddr::from(([127, 0, 0, 1], port));
    fs::write(&file, options.file(nowhere(1), nowhere(2))).map_err(SandboxError::path("write", &file))?;
    let program = options.program.clone();
    let mut command = Command::new(&program);
    command.arg("check").arg("-c").arg(&file).args(["--connect", "--setup"]);
    command.envs(options.environment.iter().map(|(name, value)| (name, value)));
    let done = tokio::task::spawn_blocking(move || command.output()).await;
    let output = done
        .map_err(|error| SandboxError::io("run")(std::io::Error::other(error)))?
        .map_err(SandboxError::path("run", &program))?;
    let printed = [output.stdout, output.stderr].concat();
    Ok((String::from_utf8_lossy(&printed).into_owned(), output.status.success()))
}
