use std::{
    env, fs,
    path::{Path, PathBuf},
};

use tokio::process::Command;

use crate::SandboxError;

/// The script itself travels in the binary, so that an installed `tideover demo` needs no source tree.
const SCRIPT: &str = include_str!("../../../scripts/servers");

/// Whether a server is there, complete and laid out as this version of the script does it.
pub(crate) fn is_complete(directory: &Path) -> bool {
    let stamp = fs::read_to_string(directory.join("stamp")).unwrap_or_default();
    SCRIPT.lines().find_map(|line| line.strip_prefix("REVISION=")) == Some(stamp.trim())
}

/// Where servers are kept: `TIDEOVER_SERVERS_DIR`, else the source tree's `target/servers` if the tree is there, else
/// the user's cache directory.
pub(crate) fn base_directory() -> PathBuf {
    if let Some(directory) = env::var_os("TIDEOVER_SERVERS_DIR") {
        return directory.into();
    }
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or_else(|| Path::new("."));
    if tree.join("scripts/servers").exists() {
        return tree.join("target/servers");
    }
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    cache.or_else(home).unwrap_or_else(env::temp_dir).join("tideover/servers")
}

/// Where sysbench and HAProxy are once [`provision_tools`] has got them, in `bin`.
pub fn tools_directory() -> PathBuf {
    base_directory().join("tools")
}

/// Gets sysbench and HAProxy, for benches.
pub async fn provision_tools() -> Result<(), SandboxError> {
    if is_complete(&tools_directory()) { Ok(()) } else { run("tools").await }
}

/// Runs `scripts/servers NAME`. Several at once are safe: the script locks.
pub(crate) async fn run(name: &str) -> Result<(), SandboxError> {
    let output = Command::new("bash")
        .args(["-c", SCRIPT, "scripts/servers", name])
        .env("TIDEOVER_SERVERS_DIR", base_directory())
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(SandboxError::io("run bash, which scripts/servers needs"))?;
    if output.status.success() {
        return Ok(());
    }
    // The last line is the one that says why; notes may stand before it.
    let text = String::from_utf8_lossy(&output.stderr);
    let reason = text.lines().last().unwrap_or("scripts/servers failed and said nothing");
    Err(SandboxError::Provision(reason.to_owned()))
}
