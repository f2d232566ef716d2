//! `REQUIRE X509`, `SUBJECT` and `ISSUER`: the proxy checks what the client shows, and shows the servers a certificate of its
//! own. TLS 1.2 and 1.3 on both sides.

use std::{fs, path::Path, sync::Arc};

use mysql_async::{ClientIdentity, OptsBuilder, SslOpts, prelude::Queryable};
use rustls::pki_types::ServerName;
use tideover_sandbox::servers::{ClusterOptions, Flavor};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    support::{Scene, TestResult, code, open},
    tls::{Authority, directory, file, server_options},
};

#[tokio::test]
async fn mariadb_11_8_certificates_over_tls_1_2() -> TestResult {
    certificates(Flavor::MariaDb118, "TLSv1.2").await
}

#[tokio::test]
async fn mysql_9_certificates_over_tls_1_3() -> TestResult {
    certificates(Flavor::Mysql9, "TLSv1.3").await
}

async fn certificates(flavor: Flavor, version: &str) -> TestResult {
    let folder = directory(&format!("certificates-{flavor}"));
    let (ours, others) = (Authority::new("the CA")?, Authority::new("somebody")?);
    ours.write(&folder)?;
    for name in ["proxy", "app", "other"] {
        ours.write_for(&folder, name)?;
    }
    others.write_for(&folder, "stranger")?;
    let mut cluster =
        ClusterOptions { server_options: server_options(&folder), ..ClusterOptions::new(flavor) };
    cluster.server_options.push(format!("--tls-version={version}"));
    let scene = Scene::with(cluster, |options| {
        options
            .set("tls", "cert_file", file(&folder, "cert.pem"))
            .set("tls", "key_file", file(&folder, "key.pem"))
            .set("tls", "client_ca_file", file(&folder, "ca.pem"))
            .set("server_tls", "mode", "\"verify_ca\"")
            .set("server_tls", "ca_file", file(&folder, "ca.pem"))
            .set("server_tls", "cert_file", file(&folder, "proxy.pem"))
            .set("server_tls", "key_file", file(&folder, "proxy.key"))
    })
    .await?;
    let setup = [
        "CREATE USER plain@'%' IDENTIFIED BY 'x'",
        "CREATE USER certified@'%' IDENTIFIED BY 'x' REQUIRE X509",
        // The servers see the proxy's certificate: what both have in common can be named.
        "CREATE USER issued@'%' IDENTIFIED BY 'x' REQUIRE ISSUER '/CN=the CA'",
        "CREATE USER subject@'%' IDENTIFIED BY 'x' REQUIRE SUBJECT '/O=Shop/CN=proxy'",
        "CREATE USER elsewhere@'%' IDENTIFIED BY 'x' REQUIRE ISSUER '/CN=somebody'",
        "GRANT ALL ON app.* TO plain@'%', certified@'%', issued@'%', subject@'%', elsewhere@'%'",
    ];
    scene.cluster.primary().run(&setup).await?;
    who_may(&scene, &folder).await?;
    // A certificate of an authority that nobody named ends the handshake, whatever the account asks.
    assert!(login(&scene, "plain", Some((&*folder, "stranger"))).await.is_err());
    let mut client = open(options(&scene, "certified", Some((&*folder, "app")))).await?;
    let spoken: Option<(String, String)> = client.query_first("SHOW STATUS LIKE 'Ssl_version'").await?;
    assert_eq!(spoken.map(|(_, value)| value).as_deref(), Some(version));
    scene.cluster.wait_in_sync().await?;
    scene.switch().await?;
    let user: Option<String> = client.query_first("SELECT CURRENT_USER()").await?;
    assert_eq!(user.as_deref(), Some("certified@%"));
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        assert_eq!(handshake(&scene, version).await?, Some(version.version));
    }
    let _ = fs::remove_dir_all(&folder);
    scene.finish()
}

async fn who_may(scene: &Scene, folder: &Path) -> TestResult {
    for (user, shown, admitted) in [
        ("plain", None, true),
        ("plain", Some("app"), true),
        ("certified", None, false),
        ("certified", Some("app"), true),
        ("certified", Some("other"), true),
        ("issued", Some("app"), true),
        ("issued", None, false),
        ("subject", Some("proxy"), true),
        ("subject", Some("app"), false),
        ("elsewhere", Some("app"), false),
    ] {
        let found = login(scene, user, shown.map(|name| (folder, name))).await;
        assert_eq!(found.is_ok(), admitted, "{user} with {shown:?}: {found:?}");
        if let Err((number, message)) = found {
            assert_eq!(number, 1045, "{user} with {shown:?}: {message}");
        }
    }
    Ok(())
}

fn options(scene: &Scene, user: &str, shown: Option<(&Path, &str)>) -> OptsBuilder {
    let mut tls = SslOpts::default().with_danger_accept_invalid_certs(true);
    if let Some((folder, name)) = shown {
        let path = |end: &str| folder.join(format!("{name}.{end}")).into();
        tls = tls.with_client_identity(Some(ClientIdentity::new(path("pem"), path("key"))));
    }
    scene.options(user, "x").ssl_opts(Some(tls))
}

async fn login(scene: &Scene, user: &str, shown: Option<(&Path, &str)>) -> Result<String, (u16, String)> {
    let mut client = open(options(scene, user, shown)).await.map_err(|error| code(&error))?;
    let user = client.query_first("SELECT CURRENT_USER()").await.map_err(|error| code(&error))?;
    Ok(user.unwrap_or_default())
}

/// Speaks one version of TLS with the proxy.
async fn handshake(
    scene: &Scene,
    version: &'static rustls::SupportedProtocolVersion,
) -> TestResult<Option<rustls::ProtocolVersion>> {
    let mut stream = TcpStream::connect(scene.proxy.address()).await?;
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let length = u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize;
    stream.read_exact(&mut vec![0; length]).await?;
    // PROTOCOL_41, SSL, SECURE_CONNECTION, PLUGIN_AUTH; the largest packet; utf8mb4.
    let mut request = vec![32, 0, 0, 1];
    request.extend_from_slice(&(0x8_8a00_u32 | 0x200).to_le_bytes());
    request.extend_from_slice(&(1_u32 << 24).to_le_bytes());
    request.push(45);
    request.resize(4 + 32, 0);
    stream.write_all(&request).await?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let roots = rustls::RootCertStore::empty();
    let mut config = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[version])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.dangerous().set_certificate_verifier(Arc::new(Anybody(provider)));
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let tls = connector.connect(ServerName::try_from("localhost")?, stream).await?;
    Ok(tls.get_ref().1.protocol_version())
}

/// Takes every certificate: it is the version that is looked at.
#[derive(Debug)]
struct Anybody(Arc<rustls::crypto::CryptoProvider>);

impl rustls::client::danger::ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &rustls::pki_types::CertificateDer<'_>,
        dss: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &rustls::pki_types::CertificateDer<'_>,
        dss: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
