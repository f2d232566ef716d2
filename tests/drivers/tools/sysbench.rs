//! sysbench, in every way that it has to send statements, with a switchover in the middle of each run.

use std::time::Duration;

use tideover_sandbox::servers::{provision_tools, tools_directory};
use tokio::{process::Command, time::sleep};

use super::{Tools, run};
use crate::support::{TestResult, length, soak};

/// The values of `--db-ps-mode`.
const MODES: [&str; 2] = ["auto", "disable"];

/// Prepares tables, runs, and cleans up, all through the proxy.
pub(super) async fn all_modes(tools: &Tools<'_>) -> TestResult {
    if soak() {
        provision_tools().await?;
    }
    if !tools_directory().join("bin/sysbench").exists() {
        println!("skipped: sysbench with {}, since it is not installed", tools.flavor());
        return Ok(());
    }
    let seconds = length(3, 20);
    run("sysbench prepare", call(tools, "disable", seconds).arg("prepare")).await?;
    for mode in MODES {
        let mut command = call(tools, mode, seconds);
        let running = run("sysbench run", command.arg("run"));
        let switching = async {
            sleep(Duration::from_secs(seconds / 2)).await;
            tools.switch().await
        };
        let (output, switched) = tokio::join!(running, switching);
        switched?;
        let text = String::from_utf8_lossy(&output?.stdout).into_owned();
        let line =
            |name: &str| text.lines().map(str::trim).find(|line| line.starts_with(name)).unwrap_or_default();
        let said = ["transactions:", "ignored errors:", "reconnects:"]
            .map(|name| line(name).split_whitespace().collect::<Vec<_>>().join(" "));
        println!("{}: sysbench, --db-ps-mode={mode}, a switchover: {}", tools.flavor(), said.join(", "));
        assert!(said[2].starts_with("reconnects: 0 "), "{text}");
    }
    run("sysbench cleanup", call(tools, "disable", seconds).arg("cleanup")).await.map(drop)
}

fn call(tools: &Tools<'_>, mode: &str, seconds: u64) -> Command {
    let mut command = Command::new(tools_directory().join("bin/sysbench"));
    let proxy = tools.scene.proxy.address();
    command
        .args([
            "oltp_read_write",
            "--db-driver=mysql",
            "--mysql-user=app",
            "--mysql-password=app",
            "--mysql-db=app",
        ])
        .args(["--tables=2", "--table-size=5000", "--threads=8", &format!("--db-ps-mode={mode}")])
        .arg(format!("--mysql-host={}", proxy.ip()))
        .arg(format!("--mysql-port={}", proxy.port()))
        .arg(format!("--time={seconds}"));
    command
}
