//! Runs the workload against an address for some seconds and prints what it saw:
//! `cargo run -p tideover-sandbox --example load 127.0.0.1:3307 32 10`.

use std::time::Duration;

use tideover_sandbox::workload::{Workload, WorkloadOptions};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:3307".to_owned()).parse()?;
    let clients = arguments.next().unwrap_or_else(|| "32".to_owned()).parse()?;
    let seconds = arguments.next().unwrap_or_else(|| "10".to_owned()).parse()?;
    let mut options = WorkloadOptions::new(address);
    options.clients = clients;
    let workload = Workload::start(options).await?;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let report = workload.stop().await;
    #[allow(clippy::print_stdout)]
    {
        println!("{}", serde_json::to_string_pretty(&report.snapshot)?);
    }
    let options = mysql_async::OptsBuilder::default()
        .ip_or_hostname(address.ip().to_string())
        .tcp_port(address.port())
        .user(Some("app"))
        .pass(Some("app"))
        .db_name(Some("app"));
    let mut connection = mysql_async::Conn::new(options).await?;
    let books = report.books.check(&mut connection).await?;
    #[allow(clippy::print_stdout)]
    {
        println!("{books:#?}");
    }
    Ok(())
}
