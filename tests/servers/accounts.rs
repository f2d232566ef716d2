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
async fn with_certificate(flavor: Flavor, name: &str) -> TestResult<Scene> {
    let folder = tls::directory(&format!("{name}-{flavor}"));
    tls::Authority::new(name)?.write(&folder)?;
    let scene = Scene::with(ClusterOptions::new(flavor), |options| {
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
    let scene = with_certificate(Flavor::MariaDb1011, "native").await?;
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

/// The plugins that sign: the proxy is given the password over TLS, and signs itself. Without TLS it cannot be.
async fn signing_plugin(flavor: Flavor, library: &str, plugin: &str) -> TestResult {
    let scene = with_certificate(flavor, plugin).await?;
    for server in scene.cluster.servers() {
        server.run(&[format!("INSTALL SONAME '{library}'")]).await?;
    }
    let setup = [
        format!("CREATE USER ed@'%' IDENTIFIED VIA {plugin} USING PASSWORD('secret of ed')"),
        "GRANT SELECT ON app.* TO ed@'%'".to_owned(),
    ];
    scene.cluster.primary().run(&setup).await?;
    let ed = |password: &str| scene.options("ed", password).enable_cleartext_plugin(true);
    for _ in 0..2 {
        let user = user_of(encrypted(ed("secret of ed"))).await;
        assert_eq!(user.map_err(|error| format!("{error:?}"))?, "ed@%");
    }
    must_be_refused(encrypted(ed("wrong")), 1045).await?;
    let message = must_be_refused(ed("secret of ed"), 1045).await?;
    assert!(message.contains("TLS"), "{message}");
    // A primary that never saw the account.
    scene.cluster.wait_in_sync().await?;
    scene.switch().await?;
    assert_eq!(user_of(encrypted(ed("secret of ed"))).await.map_err(|error| format!("{error:?}"))?, "ed@%");
    scene.finish()
}

#[tokio::test]
async fn mariadb_10_11_ed25519() -> TestResult {
    signing_plugin(Flavor::MariaDb1011, "auth_ed25519", "ed25519").await
}

#[tokio::test]
async fn mariadb_11_8_parsec() -> TestResult {
    signing_plugin(Flavor::MariaDb118, "auth_parsec", "parsec").await
}

/// What the servers say to accounts that may not log in, or not so, is what clients hear.
async fn refusals(flavor: Flavor, locked: u16, expired: u16) -> TestResult {
    let scene = with_certificate(flavor, "refusals").await?;
    let setup = [
        "CREATE USER secure@'%' IDENTIFIED BY 'secret' REQUIRE SSL",
        "CREATE USER certified@'%' IDENTIFIED BY 'secret' REQUIRE X509",
        "CREATE USER locked@'%' IDENTIFIED BY 'secret' ACCOUNT LOCK",
        "CREATE USER expired@'%' IDENTIFIED BY 'secret' PASSWORD EXPIRE",
        "CREATE USER elsewhere@'10.9.8.7' IDENTIFIED BY 'secret'",
        "GRANT SELECT ON app.* TO secure@'%', certified@'%', locked@'%', expired@'%', elsewhere@'10.9.8.7'",
    ];
    scene.cluster.primary().run(&setup).await?;
    let options = |user: &str| scene.options(user, "secret");
    assert_eq!(
        user_of(encrypted(options("secure"))).await.map_err(|error| format!("{error:?}"))?,
        "secure@%"
    );
    must_be_refused(options("secure"), 1045).await?;
    must_be_refused(options("certified"), 1045).await?;
    must_be_refused(encrypted(options("certified")), 1045).await?;
    for options in [options("locked"), encrypted(options("locked"))] {
        must_be_refused(options, locked).await?;
    }
    for options in [options("expired"), encrypted(options("expired"))] {
        must_be_refused(options, expired).await?;
    }
    must_be_refused(options("elsewhere"), 1045).await?;
    scene.finish()
}

#[tokio::test]
async fn mariadb_11_8_refusals() -> TestResult {
    refusals(Flavor::MariaDb118, 4151, 1820).await
}

#[tokio::test]
async fn mysql_9_refusals() -> TestResult {
    refusals(Flavor::Mysql9, 3118, 1862).await
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
