//! Which drivers there are, and how to run their programs. `scripts/drivers` installs what is looked for here.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tideover_sandbox::servers::Flavor;

use crate::{program::Place, support::length};

/// A driver's program.
pub(crate) struct Driver {
    pub name: &'static str,
    pub command: Vec<OsString>,
    pub environment: Vec<(&'static str, OsString)>,
    /// What is not installed.
    pub missing: Option<String>,
}

impl Driver {
    /// Bytes of the long value that it writes and reads: more than one frame of the protocol. In the short form it is that
    /// for two of them, which is enough for the proxy.
    pub(crate) fn long_value(&self) -> usize {
        let always = matches!(self.name, "node mysql2" | "mariadb client");
        if always { 17 << 20 } else { length(1 << 20, 17 << 20) }
    }
}

fn folder() -> PathBuf {
    std::env::var_os("TIDEOVER_DRIVERS_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/drivers"), PathBuf::from)
}

fn source(name: &str) -> OsString {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drivers").join(name).into()
}

/// All of them, with what is missing of each.
pub(crate) fn drivers(place: &Place) -> Vec<Driver> {
    let mut all = python();
    all.extend(node());
    all.extend([
        language("perl DBD::mysql", &["perl", "perl/dbi.pl", "mysql"], &["-MDBD::mysql", "-e", "1"]),
        language("perl DBD::MariaDB", &["perl", "perl/dbi.pl", "MariaDB"], &["-MDBD::MariaDB", "-e", "1"]),
        php("php mysqli", "mysqli"),
        php("php PDO", "pdo"),
        language("ruby mysql2", &["ruby", "ruby/mysql2.rb"], &["-e", "require 'mysql2'"]),
        connector_j(),
        compiled("go-sql-driver", "go/driver", "compiled Go program"),
        compiled("sqlx", "rust/driver", "compiled Rust program"),
    ]);
    all.extend(command_lines(place.mysql));
    all
}

/// `program`, a file of ours and its arguments; there if `probe` succeeds.
fn language(name: &'static str, command: &[&str], probe: &[&str]) -> Driver {
    let mut full = vec![OsString::from(command[0]), source(command[1])];
    full.extend(command[2..].iter().map(OsString::from));
    let missing = (!succeeds(Path::new(command[0]), probe)).then(|| format!("`{}`", name));
    Driver { name, command: full, environment: Vec::new(), missing }
}

fn succeeds(program: &Path, arguments: &[&str]) -> bool {
    let quiet = || Stdio::null();
    let run = Command::new(program).args(arguments).stdin(quiet()).stdout(quiet()).stderr(quiet()).status();
    run.is_ok_and(|status| status.success())
}

fn python() -> Vec<Driver> {
    let own = folder().join("python/bin/python");
    let driver = |(name, file, module): (&'static str, &str, &str)| {
        let probe = ["-c", &format!("import {module}")];
        // mysqlclient may come from the distribution instead.
        let python = [own.clone(), "/usr/bin/python3".into()].into_iter().find(|p| succeeds(p, &probe));
        let missing = python.is_none().then(|| format!("Python module {module}"));
        let command = vec![python.unwrap_or_default().into(), source(file), name.into()];
        Driver { name, command, environment: vec![("PYTHONDONTWRITEBYTECODE", "1".into())], missing }
    };
    [
        ("mysqlclient", "python/sync.py", "MySQLdb"),
        ("pymysql", "python/sync.py", "pymysql, cryptography"),
        ("mysql-connector", "python/sync.py", "mysql.connector"),
        ("aiomysql", "python/tasks.py", "aiomysql"),
        ("asyncmy", "python/tasks.py", "asyncmy"),
        ("sqlalchemy", "python/orm.py", "sqlalchemy, pymysql"),
        ("django", "python/orm.py", "django, pymysql"),
    ]
    .map(driver)
    .into()
}

fn node() -> Vec<Driver> {
    let modules = folder().join("node/node_modules");
    let driver = |(name, file, package): (&'static str, &str, &str)| {
        let there = modules.join(package).is_dir() && succeeds(Path::new("node"), &["--version"]);
        Driver {
            name,
            command: vec!["node".into(), source(file)],
            environment: vec![("NODE_PATH", modules.clone().into())],
            missing: (!there).then(|| format!("Node package {package}")),
        }
    };
    [
        ("node mysql2", "node/mysql2.js", "mysql2"),
        ("node mariadb", "node/mariadb.js", "mariadb"),
        ("typeorm", "node/typeorm.js", "typeorm"),
    ]
    .map(driver)
    .into()
}

fn php(name: &'static str, extension: &str) -> Driver {
    let module = if extension == "pdo" { "pdo_mysql" } else { extension };
    let probe = format!("exit(extension_loaded('{module}') ? 0 : 1);");
    language(name, &["php", "php/drivers.php", extension], &["-r", &probe])
}

fn connector_j() -> Driver {
    let jar = Path::new("/usr/share/java/mariadb-java-client.jar");
    let there = jar.exists() && succeeds(Path::new("java"), &["-version"]);
    Driver {
        name: "MariaDB Connector/J",
        command: vec!["java".into(), "-cp".into(), jar.into(), source("java/Drivers.java")],
        environment: Vec::new(),
        missing: (!there).then(|| "java or mariadb-java-client.jar".to_owned()),
    }
}

/// A program that `scripts/drivers` compiles.
fn compiled(name: &'static str, file: &str, what: &str) -> Driver {
    let program = folder().join(file);
    let missing = (!program.exists()).then(|| what.to_owned());
    Driver { name, command: vec![program.into()], environment: Vec::new(), missing }
}

/// MySQL's client has no `mysql_native_password` any more, so it can only talk to MySQL.
fn command_lines(mysql: bool) -> Vec<Driver> {
    let client = |(name, flavor): (&'static str, Flavor)| {
        let program = flavor.directory().join("bin/client");
        let missing = (!flavor.available()).then(|| format!("client of {flavor}"));
        let own = name.split(' ').next().unwrap_or_default();
        let command = vec!["bash".into(), source("shell/client.sh"), program.into(), own.into()];
        Driver { name, command, environment: Vec::new(), missing }
    };
    let mut all = vec![client(("mariadb client", Flavor::MariaDb1011))];
    if mysql {
        all.push(client(("mysql client", Flavor::Mysql9)));
    }
    all
}
