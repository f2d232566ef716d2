//! Login with the database's own accounts; there is no list of users in the configuration.

use std::time::Duration;

use mysql_async::{OptsBuilder, SslOpts, prelude::Queryable};
use tideover_sandbox::servers::{ClusterOptions, Flavor, Server};

use crate::{
    support::{Scene, TestResult, code, eventually, open},
    tls,
};

/// TLS with whatever certificate the proxy made for itself.
fn encrypted(options: OptsBuilder) -> OptsBuilder {
    let tls = SslOpts::default().with_danger_accept_invalid_certs(true);
    options.ssl_opts(Some(tls))
}

/// A proxy that offers TLS although MariaDB 10.11 by itself does not.
async fn with_certificate(name: &str) -> TestResult<Scene> {
    let folder = tls::directory(name);
    tls::Authority::new(name)?.write(&folder)?;
    let scene = Scene::with(ClusterOptions::new(Flavor::MariaDb1011), |options| {
        options.set("tls", "cert_file", tls::file(&folder, "cert.pem")).set(
            "tls",
            "key_file",
            tls::file(&folder, "key.pem"),
        )
    })
    .await?;
    // It has read them.
    let _ = std::fs::remove_dir_all(&folder);
    Ok(scene)
}

async fn user_of(options: OptsBuilder) -> Result<String, (u16, String)> {
    let mut connection = open(options).await.map_err(|error| code(&error))?;
    let user: Option<String> =
        connection.query_first("SELECT CURRENT_USER()").await.map_err(|error| code(&error))?;
    Ok(user.unwrap_or_default())
}

/// A login that must be refused with one of the server's own numbers.
async fn must_be_refused(options: OptsBuilder, number: u16) -> TestResult<String> {
    match user_of(options).await {
        Ok(user) => Err(format!("{user} was let in").into()),
        Err((code, message)) if code == number => Ok(message),
        Err((code, message)) => Err(format!("{code} instead of {number}: {message}").into()),
    }
}

#[tokio::test]
async fn mysql_9_caching_sha2_password() -> TestResult {
    let scene = Scene::start(Flavor::Mysql9).await?;
    let primary = scene.cluster.primary().clone();
    let setup = [
        "CREATE USER alice@'%' IDENTIFIED WITH caching_sha2_password BY 'secret of alice'",
        "GRANT SELECT ON app.* TO alice@'%'",
        "CREATE USER nobody@'%' IDENTIFIED WITH caching_sha2_password BY ''",
        "GRANT SELECT ON app.* TO nobody@'%'",
        "CREATE TABLE app.t (a INT PRIMARY KEY)",
    ];
    primary.run(&setup).await?;
    let alice = |password: &str| scene.options("alice", password);

    // Full authentication by the proxy's RSA key, then fast; then over TLS.
    for options in [alice("secret of alice"), alice("secret of alice"), encrypted(alice("secret of alice"))] {
        assert_eq!(user_of(options).await.map_err(|error| format!("{error:?}"))?, "alice@%");
    }
    assert_eq!(user_of(scene.options("nobody", "")).await.map_err(|error| format!("{error:?}"))?, "nobody@%");
    let message = must_be_refused(alice("wrong"), 1045).await?;
    assert!(message.contains("alice"), "{message}");
    must_be_refused(encrypted(alice("wrong")), 1045).await?;
    must_be_refused(alice(""), 1045).await?;
    must_be_refused(scene.options("nobody", "something"), 1045).await?;
    must_be_refused(scene.options("who", "ever"), 1045).await?;
    must_be_refused(alice("secret of alice").db_name(Some("mysql")), 1044).await?;
    rights_are_the_accounts_own(&scene, alice("secret of alice")).await?;

    // A primary that has not seen the account since its start.
    scene.cluster.wait_in_sync().await?;
    scene.switch().await?;
    assert_eq!(user_of(alice("secret of alice")).await.map_err(|error| format!("{error:?}"))?, "alice@%");
    let new = scene.cluster.find_primary().await?;
    password_changes(&scene, new, "ALTER USER alice@'%' IDENTIFIED BY 'another'", "another").await?;
    scene.finish()
}

#[tokio::test]
async fn mariadb_10_11_native_password() -> TestResult {
    let scene = with_certificate("native").await?;
    let primary = scene.cluster.primary().clone();
    let setup = [
        "CREATE USER alice@'%' IDENTIFIED BY 'secret of alice'",
        "GRANT SELECT ON app.* TO alice@'%'",
        "CREATE USER nobody@'%'",
        "GRANT SELECT ON app.* TO nobody@'%'",
        "CREATE TABLE app.t (a INT PRIMARY KEY)",
    ];
    primary.run(&setup).await?;
    let alice = |password: &str| scene.options("alice", password);
    for options in [alice("secret of alice"), encrypted(alice("secret of alice"))] {
        assert_eq!(user_of(options).await.map_err(|error| format!("{error:?}"))?, "alice@%");
    }
    assert_eq!(user_of(scene.options("nobody", "")).await.map_err(|error| format!("{error:?}"))?, "nobody@%");
    must_be_refused(alice("wrong"), 1045).await?;
    must_be_refused(alice(""), 1045).await?;
    must_be_refused(scene.options("who", "ever"), 1045).await?;
    must_be_refused(alice("secret of alice").db_name(Some("mysql")), 1044).await?;
    rights_are_the_accounts_own(&scene, alice("secret of alice")).await?;
    password_changes(&scene, &primary, "SET PASSWORD FOR alice@'%' = PASSWORD('another')", "another").await?;
    scene.finish()
}

/// A plugin that the proxy cannot speak is named in the refusal, and nobody gets in without a password.
#[tokio::test]
async fn mariadb_10_11_ed25519_is_refused_by_name() -> TestResult {
    let scene = with_certificate("ed25519").await?;
    for server in scene.cluster.servers() {
        server.run(&["INSTALL SONAME 'auth_ed25519'"]).await?;
    }
    let setup = [
        "CREATE USER ed@'%' IDENTIFIED VIA ed25519 USING PASSWORD('secret of ed')",
        "GRANT SELECT ON app.* TO ed@'%'",
    ];
    scene.cluster.primary().run(&setup).await?;
    let ed = |password: &str| scene.options("ed", password).enable_cleartext_plugin(true);
    for options in [encrypted(ed("secret of ed")), encrypted(ed("wrong")), ed("secret of ed")] {
        let (_, message) = user_of(options).await.err().ok_or("somebody was let in")?;
        println!("{message}");
    }
    let (_, message) = user_of(encrypted(ed("secret of ed"))).await.err().ok_or("somebody was let in")?;
    assert!(message.contains("ed25519"), "the message does not name the plugin: {message}");
    scene.finish()
}

#[tokio::test]
async fn users_of_the_configuration() -> TestResult {
    let scene = Scene::with(ClusterOptions::new(Flavor::Mysql9), |options| {
        options.set("auth", "mode", "\"users\"").set("", "user", "[{ name = \"app\", password = \"app\" }]")
    })
    .await?;
    assert_eq!(user_of(scene.options("app", "app")).await.map_err(|error| format!("{error:?}"))?, "app@%");
    must_be_refused(scene.options("app", "wrong"), 1045).await?;
    // The database knows this one; the configuration does not.
    must_be_refused(scene.options("repl", "repl").db_name(None::<&str>), 1045).await?;
    scene.finish()
}

/// alice may read and not write, as on the server itself.
async fn rights_are_the_accounts_own(scene: &Scene, options: OptsBuilder) -> TestResult {
    let mut connection = open(options).await?;
    connection.query_drop("SELECT COUNT(*) FROM t").await?;
    let (number, message) = crate::support::refused(&mut connection, "INSERT INTO t VALUES (1)").await?;
    assert_eq!(number, 1142, "{message}");
    // Somebody else's connections are not hers, although both go through the same pool.
    let mut app = scene.connect().await?;
    app.query_drop("INSERT INTO t VALUES (1)").await?;
    Ok(())
}

/// The old password is refused soon, the new one taken.
async fn password_changes(scene: &Scene, primary: &Server, sql: &str, password: &str) -> TestResult {
    primary.run(&[sql]).await?;
    eventually("the new password is taken", Duration::from_secs(10), async || {
        Ok(user_of(scene.options("alice", password)).await.is_ok())
    })
    .await?;
    must_be_refused(scene.options("alice", "secret of alice"), 1045).await?;
    must_be_refused(encrypted(scene.options("alice", "secret of alice")), 1045).await?;
    Ok(())
}
