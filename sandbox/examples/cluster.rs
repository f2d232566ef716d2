//! Starts a cluster and keeps it until its standard input ends: `cargo run -p tideover-sandbox --example cluster mysql-9`.
//! With `semi-sync` as a second argument nothing that was acknowledged is lost with the primary.

use tideover_sandbox::servers::{Cluster, ClusterOptions, Flavor};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let flavor: Flavor = std::env::args().nth(1).as_deref().unwrap_or("mariadb-10.11").parse()?;
    flavor.provision().await?;
    let semi_sync = std::env::args().nth(2).as_deref() == Some("semi-sync");
    let cluster = Cluster::start(ClusterOptions { semi_sync, ..ClusterOptions::new(flavor) }).await?;
    for address in cluster.addresses() {
        #[allow(clippy::print_stdout)]
        {
            println!("{address}");
        }
    }
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
    Ok(())
}
