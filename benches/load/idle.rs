use std::time::Duration;

use mysql_async::{Conn, Opts, OptsBuilder, prelude::Queryable};
use tideover_sandbox::proxy::Proxy;
use tokio::time::sleep;

use crate::Outcome;

/// How many log in at the same time.
const BATCH: usize = 50;
/// Time for the proxy to put its buffers away.
const REST: Duration = Duration::from_secs(2);

/// By how many bytes of resident memory the proxy grows for each client that is connected, has used its session, and is
/// idle now.
pub(crate) async fn growth(proxy: &Proxy, clients: usize) -> Outcome<f64> {
    // What is allocated once is there before counting begins.
    let mut connections = connect(proxy, BATCH).await?;
    sleep(REST).await;
    let before = proxy.resident()?;
    while connections.len() < clients + BATCH {
        connections.extend(connect(proxy, BATCH).await?);
    }
    sleep(REST).await;
    let grown = proxy.resident()?.saturating_sub(before);
    Ok(grown as f64 / (connections.len() - BATCH) as f64)
}

async fn connect(proxy: &Proxy, count: usize) -> Outcome<Vec<Conn>> {
    let address = proxy.address();
    let options: Opts = OptsBuilder::default()
        .ip_or_hostname(address.ip().to_string())
        .tcp_port(address.port())
        .user(Some("app"))
        .pass(Some("app"))
        .db_name(Some("app"))
        .prefer_socket(false)
        .max_allowed_packet(Some(16 << 20))
        .wait_timeout(Some(28_800))
        .into();
    let mut opening = tokio::task::JoinSet::new();
    for _ in 0..count {
        let options = options.clone();
        opening.spawn(async move {
            let mut connection = Conn::new(options).await?;
            connection.query_drop("SELECT 1").await?;
            mysql_async::Result::Ok(connection)
        });
    }
    let mut connections = Vec::new();
    while let Some(opened) = opening.join_next().await {
        connections.push(opened??);
    }
    Ok(connections)
}
