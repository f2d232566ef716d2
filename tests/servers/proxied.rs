//! The PROXY protocol: taken from load balancers that are named, from nobody else, and handed on to MariaDB, so that accounts
//! by host mean the client's.

use std::net::SocketAddr;

use mysql_async::{OptsBuilder, prelude::Queryable};
use tideover_protocol::proxy_header::{Version, write};
use tideover_sandbox::servers::{ClusterOptions, Flavor};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

use crate::reads::on_replicas;
use crate::support::{Scene, TestResult, code, open};

/// A load balancer in front of the proxy that says of every connection that it is this client's.
async fn balancer(proxy: SocketAddr, header: Vec<u8>) -> TestResult<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let header = header.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = TcpStream::connect(proxy).await else { return };
                if stream.write_all(&header).await.is_ok() {
                    let _ = copy_bidirectional(&mut client, &mut stream).await;
                }
            });
        }
    });
    Ok(address)
}

fn at(address: SocketAddr, options: OptsBuilder) -> OptsBuilder {
    options.tcp_port(address.port())
}

#[tokio::test]
async fn mariadb_10_11_headers_of_version_1() -> TestResult {
    handed_on(Flavor::MariaDb1011, Version::V1).await
}

#[tokio::test]
async fn mariadb_11_8_headers_of_version_2() -> TestResult {
    handed_on(Flavor::MariaDb118, Version::V2).await
}

async fn handed_on(flavor: Flavor, version: Version) -> TestResult {
    let cluster = ClusterOptions {
        server_options: vec!["--proxy-protocol-networks=127.0.0.1".to_owned()],
        ..ClusterOptions::new(flavor)
    };
    let scene = Scene::with(cluster, |options| {
        let options = options.set("", "proxy_protocol_networks", "[\"127.0.0.0/8\"]");
        match version {
            Version::V1 => options.set("pool", "proxy_protocol", "\"v1\""),
            // This server has TLS: the header comes before it.
            Version::V2 => {
                options.set("pool", "proxy_protocol", "\"v2\"").set("server_tls", "mode", "\"required\"")
            }
        }
    })
    .await?;
    let setup = [
        "CREATE USER carol@'10.1.2.3' IDENTIFIED BY 'carol'",
        "CREATE USER carol@'fd00::7' IDENTIFIED BY 'other'",
        "GRANT ALL ON app.* TO carol@'10.1.2.3'",
        "GRANT ALL ON app.* TO carol@'fd00::7'",
    ];
    scene.cluster.primary().run(&setup).await?;
    let proxy = scene.proxy.address();
    let from = async |client: &str| balancer(proxy, write(version, client.parse()?)).await;
    let (right, wrong, six) =
        (from("10.1.2.3:40000").await?, from("10.1.2.4:40000").await?, from("[fd00::7]:40000").await?);
    let mut carol = open(at(right, scene.options("carol", "carol"))).await?;
    let who: Option<(String, String)> = carol.query_first("SELECT CURRENT_USER(), USER()").await?;
    assert_eq!(who, Some(("carol@10.1.2.3".to_owned(), "carol@10.1.2.3".to_owned())));
    let mut other = open(at(six, scene.options("carol", "other"))).await?;
    let who: Option<String> = other.query_first("SELECT CURRENT_USER()").await?;
    assert_eq!(who.as_deref(), Some("carol@fd00::7"));
    // Each has the connections of its address, in any order.
    for _ in 0..3 {
        for (client, wanted) in [(&mut carol, "carol@10.1.2.3"), (&mut other, "carol@fd00::7")] {
            let user: Option<String> = client.query_first("SELECT CURRENT_USER()").await?;
            assert_eq!(user.as_deref(), Some(wanted));
        }
    }
    let error =
        open(at(wrong, scene.options("carol", "carol"))).await.err().ok_or("let in from elsewhere")?;
    let (number, message) = code(&error);
    assert!(number == 1045 && message.contains("10.1.2.4"), "{number}: {message}");
    // Who says nothing is who it is.
    assert!(open(scene.options("carol", "carol")).await.is_err(), "let in from 127.0.0.1");
    let mut app = scene.connect().await?;
    app.query_drop("CREATE TABLE t (a INT)").await?;
    let sessions = scene.proxy.admin().json("/v1/sessions").await?.to_string();
    assert!(sessions.contains("10.1.2.3:40000") && sessions.contains("[fd00::7]:40000"), "{sessions}");
    scene.cluster.wait_in_sync().await?;
    scene.switch().await?;
    carol.query_drop("INSERT INTO t VALUES (1)").await?;
    let who: Option<String> = carol.query_first("SELECT USER()").await?;
    assert_eq!(who.as_deref(), Some("carol@10.1.2.3"));
    own_and_malformed(&scene).await?;
    scene.finish()
}

/// What a connection that begins with `front` is told after the greeting: an error's number, or 0.
async fn told(scene: &Scene, front: &[u8]) -> TestResult<u16> {
    let mut stream = TcpStream::connect(scene.proxy.address()).await?;
    stream.write_all(front).await?;
    let mut said = Vec::new();
    stream.read_to_end(&mut said).await?;
    let greeting = 4 + usize::from(*said.first().ok_or("no greeting")?);
    let packet = said.get(greeting + 4..).unwrap_or_default();
    Ok(match packet {
        [0xff, low, high, ..] => u16::from_le_bytes([*low, *high]),
        _ => 0,
    })
}

/// A load balancer's own connections, and headers that are none.
async fn own_and_malformed(scene: &Scene) -> TestResult {
    let own = balancer(scene.proxy.address(), b"PROXY UNKNOWN\r\n".to_vec()).await?;
    let mut app = open(at(own, scene.options("app", "app"))).await?;
    let who: Option<String> = app.query_first("SELECT USER()").await?;
    assert_eq!(who.as_deref(), Some("app@127.0.0.1"));
    assert_eq!(told(scene, b"PROXY TCP4 nonsense\r\n").await?, 1043);
    assert_eq!(told(scene, b"\r\n\r\n\0\r\nQUIT\n\x11\x11\0\0").await?, 1043);
    Ok(())
}

#[tokio::test]
async fn mysql_9_takes_none_and_others_are_not_believed() -> TestResult {
    let scene = Scene::with(ClusterOptions::new(Flavor::Mysql9), |options| {
        options.set("", "proxy_protocol_networks", "[\"10.0.0.0/8\", \"::1\"]").set(
            "pool",
            "proxy_protocol",
            "\"v2\"",
        )
    })
    .await?;
    for version in [Version::V1, Version::V2] {
        let number = told(&scene, &write(version, "10.1.2.3:40000".parse()?)).await?;
        assert!(matches!(number, 1043 | 1156 | 1835), "{version:?}: {number}");
    }
    let mut app = scene.connect().await?;
    let who: Option<String> = app.query_first("SELECT USER()").await?;
    assert_eq!(who.as_deref(), Some("app@127.0.0.1"));
    assert!(scene.proxy.log().contains("pool.proxy_protocol"), "it was not said that MySQL takes no header");
    scene.finish()
}

/// Reads of clients that a balancer names, with accounts of a file: replicas too are told whose they are, before and after a
/// switchover.
#[tokio::test]
async fn mariadb_10_11_replicas_are_told_whose_reads_they_are() -> TestResult {
    let folder = std::env::temp_dir().join(format!("td-proxied-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("users.toml");
    std::fs::write(&file, "[[user]]\nname = \"carol\"\npassword = \"carol\"\n")?;
    let cluster = ClusterOptions {
        server_options: vec!["--proxy-protocol-networks=127.0.0.1".to_owned()],
        ..ClusterOptions::new(Flavor::MariaDb1011)
    };
    let scene = Scene::with(cluster, |options| {
        options
            .set("", "proxy_protocol_networks", "[\"127.0.0.0/8\"]")
            .set("", "user", "[{ name = \"app\", password = \"app\" }]")
            .set("pool", "proxy_protocol", "\"v1\"")
            .set("auth", "mode", "\"users\"")
            .set("auth", "users_file", format!("\"{}\"", file.display()))
            .set("routing", "reads", "\"replicas\"")
            .set("routing", "slow_start", "\"0s\"")
            .set("routing", "wait", "\"5s\"")
    })
    .await?;
    scene.wait_roles().await?;
    let setup = [
        "CREATE USER carol@'10.1.2.3' IDENTIFIED BY 'carol'",
        "GRANT ALL ON app.* TO carol@'10.1.2.3'",
        "CREATE TABLE app.t (a INT)",
        "INSERT INTO app.t VALUES (0)",
    ];
    scene.cluster.primary().run(&setup).await?;
    scene.cluster.wait_in_sync().await?;
    let header = write(Version::V1, "10.1.2.3:40000".parse()?);
    let carols = balancer(scene.proxy.address(), header).await?;
    let mut carol = open(at(carols, scene.options("carol", "carol"))).await?;
    let mut app = scene.connect().await?;
    for round in 1..=2_u32 {
        let before = on_replicas(&scene).await?;
        for n in 0..10_u32 {
            let wanted = round * 100 + n;
            carol.query_drop(format!("UPDATE t SET a = {wanted}")).await?;
            let seen: Option<u32> = carol.exec_first("SELECT a FROM t WHERE a >= ?", (0,)).await?;
            assert_eq!(seen, Some(wanted));
            assert!(app.query_first::<u32, _>("SELECT a FROM t").await?.is_some());
        }
        assert!(on_replicas(&scene).await? > before + 10, "{}", scene.status("/routing").await?);
        let mut told = Vec::new();
        for server in scene.cluster.servers() {
            let hosts = "SELECT HOST FROM information_schema.PROCESSLIST WHERE USER = 'carol'";
            told.extend(server.query(hosts).await?.into_iter().map(mysql_async::from_row::<String>));
        }
        assert!(told.len() > 1 && told.iter().all(|host| host.starts_with("10.1.2.3")), "{told:?}");
        if round == 1 {
            scene.switch().await?;
            scene.wait_roles().await?;
        }
    }
    let _ = std::fs::remove_dir_all(&folder);
    scene.finish()
}
