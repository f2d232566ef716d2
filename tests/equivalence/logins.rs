//! What a login is told of the session that begins, when the global variables are not as they were when the proxy first
//! looked: a client that logs in behind a SET GLOBAL gets what the server itself would tell it.

use tideover_protocol::status::StatusFlags;
use tideover_sandbox::servers::Flavor;

use crate::pair::{MODERN, Pair, collation};
use crate::support::TestResult;
use crate::wire::Wire;

/// What is set, with SET GLOBAL in front, and how it is read in a new session.
const GLOBALS: [&str; 7] = [
    "autocommit=0",
    "autocommit=1",
    "sql_mode='NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES'",
    "sql_mode='NO_BACKSLASH_ESCAPES', GLOBAL autocommit=0",
    "sql_mode='ANSI_QUOTES'",
    "sql_mode=DEFAULT",
    "autocommit=1",
];

#[tokio::test]
async fn mariadb_10_11_logins_are_told_what_is_set() -> TestResult {
    logins_are_told_what_is_set(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9_logins_are_told_what_is_set() -> TestResult {
    logins_are_told_what_is_set(Flavor::Mysql9).await
}

/// Each is set through the proxy, whose monitor has no time to look before the next login.
async fn logins_are_told_what_is_set(flavor: Flavor) -> TestResult {
    let pair = Pair::start(flavor).await?;
    let client = (MODERN, collation(flavor));
    let sides = [pair.direct.primary().address(), pair.scene.proxy.address()];
    for server in [pair.direct.primary(), pair.scene.cluster.primary()] {
        server.run(&["GRANT ALL PRIVILEGES ON *.* TO app@'%'"]).await?;
    }
    let mut differences = Vec::new();
    for global in GLOBALS {
        let mut told = Vec::new();
        for side in sides {
            let mut setter = Wire::connect(side, "app", Some("eq"), client).await?;
            setter.run(&format!("SET GLOBAL {global}")).await?;
            let mut session = Wire::connect(side, "app", Some("eq"), client).await?;
            let answer = session.run("SELECT @@autocommit, @@sql_mode").await?;
            let commits = session.login_status.contains(StatusFlags::AUTOCOMMIT);
            let mut status = session.login_status.difference(StatusFlags::SESSION_STATE_CHANGED);
            let mut lines = answer.lines(false);
            if !flavor.is_mariadb() {
                // MySQL's flags say AUTOCOMMIT in any case, until the session sets it. Ours say what is.
                let off = lines.iter().any(|line| line.starts_with("04") && line.contains("\\010"));
                assert_eq!(commits, !(off && side == sides[1]), "SET GLOBAL {global}: {lines:?}");
                status.remove(StatusFlags::AUTOCOMMIT);
                let last = lines.pop().unwrap_or_default();
                assert!(
                    side == sides[0] || last.contains("AUTOCOMMIT") != off,
                    "SET GLOBAL {global}: {last}"
                );
            }
            told.push((status, lines));
        }
        if told[0] != told[1] {
            differences.push(format!("SET GLOBAL {global}\n  server {:?}\n  proxy  {:?}", told[0], told[1]));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    pair.scene.finish()
}
