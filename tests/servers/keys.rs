//! Keys of the configuration that no other test needs: each has its effect.

use std::{fs, path::PathBuf, time::Duration};

use mysql_async::{OptsBuilder, prelude::Queryable};
use tideover_sandbox::servers::{ClusterOptions, Flavor};

use crate::{
    support::{Scene, TestResult, code, eventually, open},
    tls::{Authority, directory, file},
};

/// A folder with files of this content; short, since a socket's path has 107 bytes.
fn folder(name: &str, files: &[(&str, &str)]) -> TestResult<PathBuf> {
    let folder = std::env::temp_dir().join(format!("td-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    for (name, content) in files {
        fs::write(folder.join(name), content)?;
    }
    Ok(folder)
}

#[tokio::test]
async fn sockets_files_of_secrets_logs_and_lifetimes() -> TestResult {
    let folder = folder("keys", &[("monitor", "tideover\n"), ("token", "secret\n")])?;
    let socket = folder.join("s");
    let scene = Scene::with(ClusterOptions::new(Flavor::MariaDb118), |options| {
        options
            .set("", "listen", format!("[\"unix:{}\"]", socket.display()))
            .set("", "max_packet", "\"2MiB\"")
            .without("monitor", "password")
            .set("monitor", "password_file", file(&folder, "monitor"))
            .set("admin", "token_file", file(&folder, "token"))
            .set("pool", "max_lifetime", "\"1s\"")
            .set("log", "format", "\"json\"")
            .set("shutdown", "delay", "\"3s\"")
    })
    .await?;
    let options = || {
        let path = socket.display().to_string();
        let own = OptsBuilder::default().socket(Some(path)).prefer_socket(true);
        own.user(Some("app")).pass(Some("app")).db_name(Some("app")).max_allowed_packet(Some(64 << 20))
    };
    let mut client = open(options()).await?;
    let who: Option<String> = client.query_first("SELECT CURRENT_USER()").await?;
    assert_eq!(who.as_deref(), Some("app@%"));
    // Commands up to `max_packet`, and no larger ones.
    let text = |bytes: usize| format!("SELECT LENGTH('{}')", "x".repeat(bytes));
    assert_eq!(client.query_first::<usize, _>(text(1 << 20)).await?, Some(1 << 20));
    assert!(client.query_first::<usize, _>(text(3 << 20)).await.is_err(), "a command of 3 MiB");

    let admin = scene.proxy.admin();
    assert_eq!(admin.get("/v1/status").await?.status, 401);
    assert_eq!(admin.get("/livez").await?.status, 200);
    for line in scene.proxy.log().lines() {
        serde_json::from_str::<serde_json::Value>(line).map_err(|error| format!("{line}: {error}"))?;
    }
    lifetimes(&scene, options()).await?;
    // Still served while leaving, for load balancers to notice.
    scene.proxy.terminate()?;
    eventually("it is not ready", Duration::from_secs(2), async || Ok(!admin.is_ready().await)).await?;
    let mut late = open(options()).await?;
    assert_eq!(late.query_first::<i32, _>("SELECT 1").await?, Some(1));
    scene.proxy.wait_end(Duration::from_secs(20)).await?.ok_or("it did not leave")?;
    assert!(!socket.exists(), "its socket is left over");
    let _ = fs::remove_dir_all(&folder);
    scene.finish_ended()
}

/// A connection older than `pool.max_lifetime` is not used again.
async fn lifetimes(scene: &Scene, options: OptsBuilder) -> TestResult {
    let mut client = open(options).await?;
    client.query_drop("DO 1").await?;
    let sql = "SELECT COALESCE(MIN(id), 0) FROM information_schema.processlist WHERE user = 'app'";
    let first: i64 = scene.cluster.primary().query_one(sql).await?.unwrap_or_default();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        client.query_drop("DO 1").await?;
        let now: i64 = scene.cluster.primary().query_one(sql).await?.unwrap_or_default();
        if now != first {
            return Ok(());
        }
        assert!(tokio::time::Instant::now() < deadline, "connection {first} lives on");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn users_by_hash_by_file_and_in_a_file() -> TestResult {
    // SHA1(SHA1('hashed')), as PASSWORD('hashed') gives it.
    let hash = tideover_protocol::auth::native::stage2(&tideover_protocol::auth::native::stage1(b"hashed"));
    let hash: String = hash.iter().map(|byte| format!("{byte:02X}")).collect();
    let users = format!(
        "[[user]]\nname = \"filed\"\npassword_file = \"{}\"\n[[user]]\nname = \"hashed\"\npassword_hash = \"*{hash}\"\n",
        std::env::temp_dir().join(format!("td-users-{}", std::process::id())).join("filed").display()
    );
    let folder = folder("users", &[("filed", "filed\n"), ("users.toml", &users)])?;
    let scene = Scene::with(ClusterOptions::new(Flavor::MariaDb118), |options| {
        options.set("auth", "mode", "\"users\"").set("auth", "users_file", file(&folder, "users.toml")).set(
            "",
            "user",
            "[{ name = \"app\", password = \"app\" }]",
        )
    })
    .await?;
    let setup = [
        "CREATE USER filed@'%' IDENTIFIED BY 'filed'",
        "CREATE USER hashed@'%' IDENTIFIED BY 'hashed'",
        "GRANT ALL ON app.* TO filed@'%', hashed@'%'",
    ];
    scene.cluster.primary().run(&setup).await?;
    for name in ["app", "filed", "hashed"] {
        let mut client = open(scene.options(name, name)).await.map_err(|error| format!("{name}: {error}"))?;
        let who: Option<String> = client.query_first("SELECT CURRENT_USER()").await?;
        assert_eq!(who, Some(format!("{name}@%")));
        assert_eq!(code(&open(scene.options(name, "wrong")).await.err().ok_or(name)?).0, 1045);
    }
    // The file alone is changed.
    let more = format!("{users}[[user]]\nname = \"repl\"\npassword = \"repl\"\n");
    assert!(open(scene.options("repl", "repl").db_name(None::<&str>)).await.is_err());
    fs::write(folder.join("users.toml"), more)?;
    let answer = scene.proxy.admin().post("/v1/reload", "").await?;
    assert!(answer.status == 200 && answer.body.contains("user.3.name"), "{}", answer.body);
    open(scene.options("repl", "repl").db_name(None::<&str>)).await?;
    let _ = fs::remove_dir_all(&folder);
    scene.finish()
}

/// Servers that take nobody without TLS, and sha256_password, which MySQL has deprecated: named if it is gone.
#[tokio::test]
async fn mysql_9_secure_transport_and_sha256_password() -> TestResult {
    let certificates = directory("secure-transport");
    Authority::new("secure")?.write(&certificates)?;
    let scene = Scene::with(ClusterOptions::new(Flavor::Mysql9), |options| {
        options.set("tls", "cert_file", file(&certificates, "cert.pem")).set(
            "tls",
            "key_file",
            file(&certificates, "key.pem"),
        )
    })
    .await?;
    let primary = scene.cluster.primary();
    let create = "CREATE USER old@'%' IDENTIFIED WITH sha256_password BY 'old'";
    let there = primary.run(&[create, "GRANT ALL ON app.* TO old@'%'"]).await;
    let setup = ["CREATE USER new@'%' IDENTIFIED BY 'new'", "GRANT ALL ON app.* TO new@'%'"];
    primary.run(&setup).await?;
    primary.run(&["SET GLOBAL require_secure_transport = ON"]).await?;
    assert!(primary.connect().await.is_err(), "the server takes connections without TLS");
    let mut client = open(scene.options("new", "new")).await?;
    let cipher: Option<(String, String)> = client.query_first("SHOW STATUS LIKE 'Ssl_cipher'").await?;
    assert!(cipher.is_some_and(|(_, cipher)| !cipher.is_empty()), "the server sees no TLS");
    match there {
        Err(error) => println!("skipped: sha256_password is not there any more: {error}"),
        Ok(()) => {
            let tls = mysql_async::SslOpts::default().with_danger_accept_invalid_certs(true);
            let options = scene.options("old", "old").ssl_opts(Some(tls)).enable_cleartext_plugin(true);
            let mut old = open(options).await?;
            let who: Option<String> = old.query_first("SELECT CURRENT_USER()").await?;
            assert_eq!(who.as_deref(), Some("old@%"));
        }
    }
    let _ = fs::remove_dir_all(&certificates);
    scene.finish()
}
