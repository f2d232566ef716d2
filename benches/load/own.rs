//! What it costs that each client has variables of its own, which its server connection must have too.

use std::net::SocketAddr;

use tideover_sandbox::{
    proxy::{Proxy, ProxyOptions},
    servers::Cluster,
};

use crate::{
    Outcome, Plan,
    sysbench::{self, Load, Run},
    table,
};

/// Server connections: as many as are wanted, and half as many as there are clients.
const POOLS: [usize; 2] = [100, 4];

/// Prints the ratio of read-write with five own variables to the same without, with 8 clients.
pub(crate) async fn print(program: &str, cluster: &Cluster, plan: &Plan) -> Outcome {
    println!("\n8 clients, each with five variables of its own, queries/s to the same without:");
    for connections in POOLS {
        let options = ProxyOptions::new(program, cluster);
        let proxy = Proxy::start(&options.set("pool", "max_per_server", connections.to_string())).await?;
        for prepared in [false, true] {
            let [without, with] = rates(proxy.address(), prepared, plan).await?;
            println!(
                "at most {connections} server connections, {}: {with:.0} to {without:.0}, {:.2}",
                if prepared { "prepared" } else { "text" },
                with / without.max(1.0)
            );
        }
    }
    Ok(())
}

/// Both, in turns.
async fn rates(target: SocketAddr, prepared: bool, plan: &Plan) -> Outcome<[f64; 2]> {
    let mut runs: [Vec<Run>; 2] = [Vec::new(), Vec::new()];
    for round in 0..plan.rounds {
        for turn in 0..2 {
            let which = (round + turn) % 2;
            let load = Load::read_write(which == 1, prepared);
            runs[which].push(sysbench::run(load, target, plan.seconds).await?);
        }
    }
    Ok(runs.map(|runs| table::median(runs).rate))
}
