//! Servers of versions that know other names than those that we ask by: played by asking for names that none knows.

use std::sync::Arc;
use std::time::Duration;

use tideover::backend::{Account, Connector, Control, Target};
use tideover::monitor::{Probe, Seen};
use tideover::net::{BufferPool, ClientTls, ClientTlsFiles, ClientTlsMode};
use tideover_protocol::handshake::Secret;
use tideover_sandbox::servers::{Cluster, ClusterOptions, Flavor, Server};
use zeroize::Zeroizing;

use crate::support::{TestResult, slots};

/// Nothing here takes nearly so long.
const TIME: Duration = Duration::from_secs(20);

#[tokio::test]
async fn mariadb_10_11_is_looked_at_without_what_it_does_not_know() -> TestResult {
    looked_at(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mariadb_11_8_is_looked_at_without_what_it_does_not_know() -> TestResult {
    looked_at(Flavor::MariaDb118).await
}

#[tokio::test]
async fn mysql_9_is_looked_at_without_what_it_does_not_know() -> TestResult {
    looked_at(Flavor::Mysql9).await
}

async fn looked_at(flavor: Flavor) -> TestResult {
    let _slot = slots(1).await?;
    let cluster = Cluster::start(ClusterOptions { replicas: 1, ..ClusterOptions::new(flavor) }).await?;
    for server in cluster.servers() {
        says_its_version(server).await?;
        let (mut usual, mut none) = (probe(server)?, probe(server)?.watching(&["of_no_version"]));
        // The last is one of sessions alone.
        let mut some = probe(server)?.watching(&["sort_buffer_size", "of_no_version", "pseudo_thread_id"]);
        let before = [look(&mut usual).await?, look(&mut some).await?, look(&mut none).await?];
        assert_ne!(before[0].globals, 0, "{flavor} does not know all that is watched");
        assert_ne!(before[1].globals, 0);
        assert_eq!(before[2].globals, 0);
        for seen in &before {
            assert_eq!(seen.replication.is_some(), server.port != cluster.primary().port, "{seen:#?}");
            assert_eq!((seen.number, &seen.version), (before[0].number, &before[0].version));
            assert!(seen.number > 0 && seen.binlog.is_some(), "{seen:#?}");
        }
        server.run(&["SET GLOBAL sort_buffer_size = 3145728"]).await?;
        let after = [look(&mut usual).await?, look(&mut some).await?, look(&mut none).await?];
        assert_ne!(after[0].globals, before[0].globals);
        assert_ne!(after[1].globals, before[1].globals, "what it knows is watched all the same");
        assert_eq!(after[2].globals, 0);
    }
    Ok(())
}

/// What depends on the version goes by its own numbers, and not by what MariaDB puts in front of them in its greeting.
async fn says_its_version(server: &Server) -> TestResult {
    let (connector, target, account) = monitor_of(server)?;
    let mut control = Control::connect(&connector, &target, &account, TIME).await?;
    let rows = control.query("SELECT @@version", TIME).await?;
    assert_eq!(rows.scalar().as_deref(), Some(control.version()));
    Ok(())
}

fn probe(server: &Server) -> TestResult<Probe> {
    let (connector, target, account) = monitor_of(server)?;
    Ok(Probe::new(connector, target, account, TIME))
}

fn monitor_of(server: &Server) -> TestResult<(Connector, Target, Arc<Account>)> {
    let tls = ClientTls::new(ClientTlsMode::Off, ClientTlsFiles::default())?;
    let connector = Connector::new(tls, BufferPool::new());
    let account = Account::new(b"tideover", Secret::Password(Zeroizing::new(b"tideover".to_vec())));
    let target = Target { address: server.address().to_string().into() };
    Ok((connector, target, account))
}

async fn look(probe: &mut Probe) -> TestResult<Seen> {
    Ok(probe.look().await.map_err(|unseen| unseen.reason().to_owned())?)
}
