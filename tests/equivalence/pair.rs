//! A server, and a proxy in front of an identical one. What runs on both is compared; behind the proxy each unit of work
//! lands on another server connection than the one before it.

use std::time::Duration;

use serde_json::Value;
use tideover_protocol::capability::Capabilities;
use tideover_sandbox::proxy::ProxyOptions;
use tideover_sandbox::servers::{Cluster, ClusterOptions, Flavor};
use tokio::time::{Instant, sleep};

use crate::script::{Script, Step};
use crate::session::{Mode, Session};
use crate::support::{Scene, TestResult};
use crate::wire::{CLOSED, Wire};

/// What every client of these tests has.
const PLAIN: Capabilities = Capabilities::ESSENTIAL.union(Capabilities::CONNECT_WITH_DB);
/// The capabilities of an up-to-date client.
pub(crate) const MODERN: Capabilities = PLAIN
    .union(Capabilities::MULTI_STATEMENTS)
    .union(Capabilities::MULTI_RESULTS)
    .union(Capabilities::PS_MULTI_RESULTS)
    .union(Capabilities::LOCAL_FILES)
    .union(Capabilities::DEPRECATE_EOF)
    .union(Capabilities::SESSION_TRACK);
/// Those of an old one: EOF packets, rows found instead of rows changed.
pub(crate) const OLD: Capabilities = PLAIN
    .union(Capabilities::MULTI_STATEMENTS)
    .union(Capabilities::MULTI_RESULTS)
    .union(Capabilities::PS_MULTI_RESULTS)
    .union(Capabilities::LOCAL_FILES)
    .union(Capabilities::FOUND_ROWS);

/// Those of an up-to-date client that compresses.
pub(crate) const COMPRESSED: Capabilities = MODERN.union(Capabilities::COMPRESS);

/// How long the proxy may take to notice what it has been told.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a session is waited for that only reads its state. One that is slower is not moved, which is no difference.
const SETTLING: Duration = Duration::from_secs(2);

/// Run on both servers before anything else.
const SETUP: &str = include_str!("setup.sql");

/// Both sides.
pub(crate) struct Pair {
    pub(crate) direct: Cluster,
    pub(crate) scene: Scene,
    pub(crate) flavor: Flavor,
    /// Differences found, as text.
    pub(crate) differences: Vec<String>,
    /// Statements and commands compared.
    pub(crate) compared: usize,
    /// Scripts run.
    pub(crate) scripts: usize,
    /// Units that were preceded by an exchange of connections.
    pub(crate) shuffled: usize,
}

impl Pair {
    pub(crate) async fn start(flavor: Flavor) -> TestResult<Self> {
        let options = || {
            let mut options = ClusterOptions::new(flavor);
            options.replicas = 0;
            options.server_options =
                vec!["--log-bin-trust-function-creators=1".into(), "--local-infile=ON".into()];
            options
        };
        // Two, so that who gives one back is sure to be given the other.
        let configure = |options: ProxyOptions| options.set("pool", "max_per_server", "2");
        let scene = Scene::with(options(), configure).await?;
        let direct = Cluster::start(options()).await?;
        for server in [direct.primary(), scene.cluster.primary()] {
            let statements: Vec<&str> = SETUP.split(";\n").map(str::trim).filter(|s| !s.is_empty()).collect();
            server.run(&statements).await?;
            // A password that the server has seen once needs no encrypted channel.
            drop(server.connect_as("app", "app", None).await?);
        }
        scene.wait_roles().await?;
        drop(scene.connect().await?);
        Ok(Self { direct, scene, flavor, differences: Vec::new(), compared: 0, scripts: 0, shuffled: 0 })
    }

    /// Runs scripts with one set of capabilities.
    pub(crate) async fn run(
        &mut self,
        scripts: &[Script],
        mode: Mode,
        capabilities: Capabilities,
    ) -> TestResult {
        let mut shuffle = Shuffle::start(&self.scene, (capabilities, collation(self.flavor))).await?;
        let flavor = self.flavor;
        for script in scripts.iter().filter(|s| s.runs_on(flavor)) {
            // MySQL 9.7 itself crashes on some statements with a cursor, EXPLAIN among them.
            let crashes = mode == Mode::Cursor && !flavor.is_mariadb() && !script.title.contains("variables");
            if crashes
                || (mode != Mode::Text && !script.is_plain())
                || (capabilities == OLD && !script.has("old"))
            {
                continue;
            }
            let trace = std::env::var_os("TIDEOVER_TRACE").is_some();
            if trace {
                println!("{mode:?} {}", script.title);
            }
            let before = self.differences.len();
            self.scripts += 1;
            if let Err(error) = self.script(script, (mode, capabilities), &mut shuffle).await {
                self.differences.push(format!("{} ({mode:?}): {error}\n", script.title));
                if script.is_generated() {
                    let steps: String =
                        script.steps.iter().map(|step| format!("        {step:?}\n")).collect();
                    self.differences.push(format!("    of\n{steps}"));
                }
            }
            if trace {
                // At once: the whole run takes long.
                println!("{}", self.differences.get(before..).unwrap_or_default().join("\n"));
            }
        }
        shuffle.end().await
    }

    async fn script(
        &mut self,
        script: &Script,
        (mode, capabilities): (Mode, Capabilities),
        shuffle: &mut Shuffle,
    ) -> TestResult {
        let client = (capabilities, collation(self.flavor));
        let direct = Wire::connect(self.direct.primary().address(), "app", Some("eq"), client).await?;
        let proxied = Wire::connect(self.scene.proxy.address(), "app", Some("eq"), client).await?;
        let (mut direct, mut proxied) = (Session::new(direct), Session::new(proxied));
        let id = proxied.wire.id;
        let mut kept = Vec::new();
        for step in &script.steps {
            if self.is_free(id, &mut kept).await? {
                shuffle.turn().await?;
                self.shuffled += 1;
            }
            if let Step::Pins(wanted) = step {
                self.check_pins(script, id, wanted).await?;
                continue;
            }
            let one = direct.run(step, mode);
            let (one, two) = tokio::join!(one, proxied.run(step, mode));
            if is_closed(&one) && is_closed(&two) {
                self.compared += 1;
                break;
            }
            let one = one.map_err(|e| format!("{step:?}, sent to the server: {e}"))?;
            let two = two.map_err(|e| format!("{step:?}, sent through the proxy: {e}"))?;
            self.compared += 1;
            let shape_only = matches!(step, Step::Statement(_, true) | Step::Form(_) | Step::ChangeUser(..));
            let (mut one, mut two) = (direct.lines(&one, shape_only), proxied.lines(&two, shape_only));
            if matches!(step, Step::ChangeUser(..)) {
                // How many packets a login takes, and what a server says of it at its end, is no part of the session.
                let failed =
                    |lines: &[String]| vec![lines.last().is_some_and(|l| l.starts_with("ERR")).to_string()];
                (one, two) = (failed(&one), failed(&two));
            }
            if one != two {
                self.differ(script, (mode, step), &one, &two);
                if std::env::var_os("TIDEOVER_TRACE").is_some() {
                    let warnings = direct.wire.query("SHOW WARNINGS").await?;
                    println!("warnings of the server: {:#?}", warnings.lines(false));
                }
                if script.is_generated() {
                    // What follows differs because this does.
                    let before = script.steps.iter().take_while(|other| !std::ptr::eq(*other, step));
                    let before: String = before.map(|step| format!("        {step:?}\n")).collect();
                    self.differences.push(format!("    behind\n{before}"));
                    break;
                }
            }
        }
        Ok(())
    }

    fn differ(&mut self, script: &Script, (mode, step): (Mode, &Step), one: &[String], two: &[String]) {
        let before = script.steps.iter().take_while(|other| !std::ptr::eq(*other, step)).last();
        let mut text = format!("{} ({mode:?}): {step:?}, behind {before:?}\n", script.title);
        for line in 0..one.len().max(two.len()) {
            let (a, b) = (one.get(line), two.get(line));
            if a != b {
                text += &format!("    server {}\n    proxy  {}\n", shown(a), shown(b));
            }
        }
        self.differences.push(text);
    }

    async fn check_pins(&mut self, script: &Script, id: u32, wanted: &[String]) -> TestResult {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Warnings are there until the next statement.
            let mut found = pins(&self.view(id).await?);
            found.retain(|pin| pin != "warnings");
            if found == wanted {
                return Ok(());
            }
            if Instant::now() > deadline {
                self.differences.push(format!("{}: pinned for {found:?} and not {wanted:?}\n", script.title));
                return Ok(());
            }
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// Whether the session has no server connection. Waits while it only has one to read its state from it.
    /// `kept`: pins that were waited for before, in vain.
    async fn is_free(&self, id: u32, kept: &mut Vec<String>) -> TestResult<bool> {
        let deadline = Instant::now() + SETTLING;
        loop {
            let view = self.view(id).await?;
            if view["server"].is_null() {
                return Ok(true);
            }
            let pins = pins(&view);
            let stays = view["state"] == "transaction" || pins.iter().any(|pin| !SETTLED.contains(&&**pin));
            if stays || pins == *kept {
                return Ok(false);
            }
            if Instant::now() > deadline {
                *kept = pins;
                return Ok(false);
            }
            sleep(Duration::from_millis(1)).await;
        }
    }

    async fn view(&self, id: u32) -> TestResult<Value> {
        let sessions = self.scene.proxy.admin().json("/v1/sessions").await?;
        let sessions = sessions.as_array().or_else(|| sessions["sessions"].as_array());
        let found = sessions.into_iter().flatten().find(|s| s["id"] == id);
        Ok(found.cloned().unwrap_or_default())
    }
}

/// Whether the connection was closed instead of an answer.
fn is_closed<T>(answer: &TestResult<T>) -> bool {
    answer
        .as_ref()
        .err()
        .is_some_and(|error| error.to_string().contains(CLOSED) || error.is::<std::io::Error>())
}

/// Reasons that end by themselves as soon as the client is silent.
const SETTLED: [&str; 3] = ["user_variable", "last_insert_id", "call_result"];

fn pins(view: &Value) -> Vec<String> {
    let pins = view["pins"].as_array();
    pins.into_iter().flatten().filter_map(|pin| pin.as_str().map(str::to_owned)).collect()
}

fn shown(line: Option<&String>) -> &str {
    line.map_or("(nothing)", String::as_str)
}

/// Two sessions that take turns in holding a server connection in a transaction. With two connections in all, the one that
/// was used last is always taken away before the next unit, and comes back later in another state.
struct Shuffle {
    holds: Wire,
    free: Wire,
}

impl Shuffle {
    async fn start(scene: &Scene, client: (Capabilities, u8)) -> TestResult<Self> {
        let address = scene.proxy.address();
        let mut holds = Wire::connect(address, "app", Some("other"), client).await?;
        for text in [
            "SET NAMES latin1",
            "SET time_zone='+03:00', sql_mode='NO_BACKSLASH_ESCAPES,ANSI_QUOTES', div_precision_increment=9",
            "SET @noise='x', @noise2=-1, @noise3=1.25",
        ] {
            holds.run(text).await?;
        }
        let free = Wire::connect(address, "app", Some("eq"), client).await?;
        let mut shuffle = Self { holds: free, free: holds };
        shuffle.turn().await?;
        shuffle.turn().await?;
        Ok(shuffle)
    }

    /// The connection that is free is taken, and the other one given back, each with traces of other work.
    async fn turn(&mut self) -> TestResult {
        for text in [
            "BEGIN",
            "INSERT INTO eq.noise () VALUES (), ()",
            "SELECT SQL_CALC_FOUND_ROWS 1 FROM eq.noise LIMIT 1",
        ] {
            self.free.run(text).await?;
        }
        self.holds.run("ROLLBACK").await?;
        std::mem::swap(&mut self.free, &mut self.holds);
        Ok(())
    }

    async fn end(mut self) -> TestResult {
        self.holds.run("ROLLBACK").await.map(drop)
    }
}

/// utf8mb4, in the collation that the server takes for it: what a MySQL server says of a cursor's columns tells the
/// collation of the login apart from that of a SET NAMES, which is what a session is brought back with.
pub(crate) const fn collation(flavor: Flavor) -> u8 {
    if flavor.is_mariadb() { 45 } else { 255 }
}
