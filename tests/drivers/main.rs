//! The drivers, command-line clients and object mappers that applications use, each a small program of its own language
//! (`../drivers/*/`): login with and without TLS, every column type, transactions, prepared statements, long values,
//! variables, errors, cancelling; then small transactions with books while the primary is switched three times. All of
//! them at once against one proxy. Those that are not installed are named (`scripts/drivers` gets them). And tools: see there.

#![allow(clippy::print_stdout, reason = "what was skipped and what was done is for people")]

#[path = "../support/mod.rs"]
mod support;

mod catalogue;
mod native;
mod program;
mod tools;

use std::{sync::Arc, time::Duration};

use tideover_sandbox::servers::{ClusterOptions, Flavor};
use tokio::{sync::Semaphore, task::JoinSet};

use catalogue::{Driver, drivers};
use program::{Place, Program};
use support::{
    Scene, TestResult,
    authority::{Authority, directory, file},
    length,
};

/// How many programs do the first part at once; starting a language is most of their work.
const AT_ONCE: usize = 3;
/// Statements that make the table of every column type.
const TYPES: &str = include_str!("types.sql");

#[tokio::test]
async fn mariadb_10_11() -> TestResult {
    all_drivers(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9() -> TestResult {
    all_drivers(Flavor::Mysql9).await
}

#[tokio::test]
async fn mariadb_11_8() -> TestResult {
    if !support::soak() {
        println!("skipped: in full length only (TIDEOVER_SOAK=1)");
        return Ok(());
    }
    all_drivers(Flavor::MariaDb118).await
}

async fn all_drivers(flavor: Flavor) -> TestResult {
    let folder = directory(&format!("drivers-{flavor}"));
    Authority::new("drivers")?.write(&folder)?;
    let scene = Scene::alone(ClusterOptions::new(flavor), |options| {
        options.set("tls", "cert_file", file(&folder, "cert.pem")).set(
            "tls",
            "key_file",
            file(&folder, "key.pem"),
        )
    })
    .await?;
    for server in scene.cluster.servers() {
        server.run(&["SET GLOBAL max_allowed_packet=67108864", "SET GLOBAL local_infile=1"]).await?;
    }
    make_types(&scene).await?;
    scene.cluster.wait_in_sync().await?;
    let place = Arc::new(Place {
        proxy: scene.proxy.address(),
        direct: scene.cluster.primary().address(),
        authority: folder.join("ca.pem"),
        mysql: flavor == Flavor::Mysql9,
    });
    let result = drive(&scene, &place, drivers(&place)).await;
    let _ = std::fs::remove_dir_all(&folder);
    result?;
    scene.finish()
}

async fn make_types(scene: &Scene) -> TestResult {
    let statements: Vec<&str> = TYPES.lines().filter(|line| !line.is_empty()).collect();
    let mut connection = scene.cluster.primary().connect_as("root", "", Some("app")).await?;
    for statement in statements {
        mysql_async::prelude::Queryable::query_drop(&mut connection, statement).await?;
    }
    Ok(())
}

/// The programs' first part, a few at a time; then the second of all of them together, with three switchovers.
async fn drive(scene: &Scene, place: &Arc<Place>, drivers: Vec<Driver>) -> TestResult {
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut starting = JoinSet::new();
    for driver in drivers {
        match driver.missing {
            Some(missing) => println!("skipped: {}, since there is no {missing}", driver.name),
            None => {
                let (slots, place) = (slots.clone(), place.clone());
                starting.spawn(async move {
                    let _slot = slots.acquire_owned().await?;
                    Program::start(driver, &place).await
                });
            }
        }
    }
    let native = native::Native::start(scene).await?;
    let mut running = Vec::new();
    while let Some(program) = starting.join_next().await {
        running.push(program??);
    }
    for _ in 0..3 {
        tokio::time::sleep(length(Duration::from_millis(700), Duration::from_secs(5))).await;
        scene.cluster.wait_in_sync().await?;
        scene.switch().await?;
    }
    let mut failures = Vec::new();
    for program in running {
        let name = program.name();
        match program.finish().await {
            Ok(count) => println!("{name}: {count} transactions over three switchovers"),
            Err(error) => failures.push(error.to_string()),
        }
    }
    println!("mysql_async: {} transactions over three switchovers", native.finish().await?);
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n").into()) }
}
