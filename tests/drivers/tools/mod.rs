//! Tools that people run against their databases, unchanged, through the proxy: dump and restore, reading the binary log
//! from afar, sysbench, and a table changed online. Those that are not installed are named. In full length with a
//! database of 1 GiB.

mod binlog;
mod dump;
mod online;
mod sysbench;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use tideover_sandbox::servers::{ClusterOptions, Flavor};
use tokio::{process::Command, time::timeout};

use crate::support::{Scene, TestResult, authority::directory, soak};

/// No tool may take longer.
const LIMIT: Duration = Duration::from_secs(3600);
/// What an account needs for dumps with all that is in a database, for reading the binary log, and for changing tables
/// online, on both families. It may not write on a server that is read-only.
const RIGHTS: &str = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES, INDEX, ALTER, LOCK TABLES, EXECUTE, \
    CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, EVENT, TRIGGER, RELOAD, PROCESS, REPLICATION CLIENT, \
    REPLICATION SLAVE";

#[tokio::test]
async fn mariadb_10_11() -> TestResult {
    all_tools(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9() -> TestResult {
    all_tools(Flavor::Mysql9).await
}

#[tokio::test]
async fn mariadb_11_8() -> TestResult {
    if !soak() {
        println!("skipped: in full length only (TIDEOVER_SOAK=1)");
        return Ok(());
    }
    all_tools(Flavor::MariaDb118).await
}

async fn all_tools(flavor: Flavor) -> TestResult {
    let mut options = ClusterOptions::new(flavor);
    options.server_options =
        vec!["--log-bin-trust-function-creators=1".into(), "--max-allowed-packet=64M".into()];
    options.replicas = 1;
    if soak() {
        // A gigabyte is not waited for longer than need be.
        let log =
            if flavor.is_mariadb() { "--innodb-log-file-size=512M" } else { "--innodb-redo-log-capacity=1G" };
        options.server_options.extend([
            log.to_owned(),
            "--innodb-buffer-pool-size=512M".to_owned(),
            "--innodb-doublewrite=OFF".to_owned(),
            "--max-binlog-size=100M".to_owned(),
        ]);
    }
    let scene = Scene::alone(options, |options| options).await?;
    scene.cluster.primary().run(&[format!("GRANT {RIGHTS} ON *.* TO app@'%'")]).await?;
    // A password that the servers have seen once needs no encrypted channel.
    for server in scene.cluster.servers() {
        drop(server.connect_as("app", "app", None).await?);
    }
    drop(scene.connect().await?);
    let folder = directory(&format!("tools-{flavor}"));
    std::fs::create_dir_all(&folder)?;
    let tools = Tools { scene: &scene, folder: folder.clone() };
    let result = run_all(&tools).await;
    let _ = std::fs::remove_dir_all(&folder);
    result?;
    // What tools pass over in silence: sysbench and pt-online-schema-change try again after some errors.
    let metrics = scene.proxy.admin().get("/metrics").await?.body;
    let ours: Vec<_> = metrics
        .lines()
        .filter(|line| line.starts_with("tideover_client_errors_total{") && !line.ends_with(" 0"))
        .collect();
    assert!(ours.is_empty(), "errors of the proxy's own: {ours:?}");
    scene.finish()
}

/// All of them, or the one that `TIDEOVER_ONLY` names.
async fn run_all(tools: &Tools<'_>) -> TestResult {
    let only = std::env::var("TIDEOVER_ONLY").ok();
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    if wanted("dump") {
        dump::dump_and_restore(tools).await?;
    }
    if wanted("binlog") {
        binlog::read_from_afar(tools).await?;
    }
    if wanted("sysbench") {
        sysbench::all_modes(tools).await?;
    }
    if wanted("online") {
        online::change(tools).await?;
    }
    Ok(())
}

/// Where the tools run.
struct Tools<'a> {
    scene: &'a Scene,
    /// For what they write.
    folder: PathBuf,
}

impl Tools<'_> {
    fn flavor(&self) -> Flavor {
        self.scene.cluster.flavor()
    }

    /// The program of the server's own packages; a MariaDB one also of this machine. If there is none that is said.
    fn own(&self, name: &str) -> Option<PathBuf> {
        let own = self.flavor().directory().join("bin").join(name);
        if own.exists() {
            return Some(own);
        }
        let found = self.flavor().is_mariadb().then(|| in_path(name)).flatten();
        if found.is_none() {
            println!("skipped: {name} with {}, since it is not installed", self.flavor());
        }
        found
    }

    /// A client of the server's own packages that logs in as the application.
    fn client(&self, program: &Path, address: SocketAddr) -> Command {
        let mut command = Command::new(program);
        // Those of the server's own packages have it already.
        if !program.starts_with(self.flavor().directory()) {
            command.arg("--no-defaults");
        }
        command.args(["--protocol=tcp", "--user=app", "--password=app"]);
        command.arg(format!("--host={}", address.ip())).arg(format!("--port={}", address.port()));
        // Later ones of MariaDB insist on TLS; MySQL's ask for a key instead.
        command.arg(if self.flavor().is_mariadb() { "--skip-ssl" } else { "--get-server-public-key" });
        command
    }

    async fn switch(&self) -> TestResult {
        self.scene.cluster.wait_in_sync().await?;
        self.scene.switch().await.map(drop)
    }
}

fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.exists())
}

/// Runs a program that must succeed.
async fn run(what: &str, command: &mut Command) -> TestResult<Output> {
    between(what, command, (Stdio::null(), Stdio::piped())).await
}

/// The same with this as its standard input and output.
async fn between(what: &str, command: &mut Command, (input, output): (Stdio, Stdio)) -> TestResult<Output> {
    let child = command.stdin(input).stdout(output).stderr(Stdio::piped()).kill_on_drop(true).spawn()?;
    let output = timeout(LIMIT, child.wait_with_output()).await;
    let output = output.map_err(|_| format!("{what} took more than {LIMIT:?}"))??;
    if output.status.success() {
        return Ok(output);
    }
    let text =
        |bytes: &[u8]| String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(4000)..]).into_owned();
    Err(format!("{what}: {}\n{}{}", output.status, text(&output.stdout), text(&output.stderr)).into())
}
