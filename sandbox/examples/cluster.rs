//! Starts a cluster and keeps it until its standard input ends: `cargo run -p tideover-sandbox --example cluster mysql-9`.

use tideover_sandbox::servers::{Cluster, ClusterOptions, Flavor};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let flavor: Flavor = std::env::args().nth(1).as_deref().unwrap_or("mariadb-10.11").parse()?;
    flavor.provision().await?;
    let cluster = Cluster::start(ClusterOptions::new(flavor)).await?;
    for address in cluster.addresses() {
        #[allow(clippy::print_stdout)]
        {
            println!("{address}");
        }
    }
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
    Ok(())
}
