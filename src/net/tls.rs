//! TLS towards clients, and what both directions share. The cryptographic provider is named here and nowhere else.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs as provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsStream};

use super::stream::{Raw, Stream};

/// What is wrong with certificates or keys, and in which file.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct TlsError {
    file: String,
    problem: String,
}

pub(super) fn problem(file: &Path, problem: impl fmt::Display) -> TlsError {
    TlsError { file: file.display().to_string(), problem: problem.to_string() }
}

pub(super) fn crypto() -> Arc<CryptoProvider> {
    Arc::new(provider::default_provider())
}

/// Where our certificate comes from.
#[derive(Debug, Clone)]
enum Source {
    SelfSigned,
    Files { certificate: PathBuf, key: PathBuf },
}

/// Certificates that were read and are not used yet.
#[derive(Debug)]
pub struct ServerTlsRead(Arc<ServerConfig>);

/// TLS towards clients; can be reloaded while it serves.
#[derive(Debug)]
pub struct ServerTls {
    source: Source,
    /// Whose certificates clients may show, PEM.
    clients: Option<PathBuf>,
    current: ArcSwap<ServerConfig>,
}

impl ServerTls {
    /// With a certificate made for this run, as the servers make one for themselves. `clients`: a PEM file with the
    /// authorities whose certificates clients may show; without it they are not asked for any.
    ///
    /// # Errors
    /// [`TlsError`] naming the file.
    pub fn self_signed(clients: Option<&Path>) -> Result<Self, TlsError> {
        Self::new(Source::SelfSigned, clients)
    }

    /// With a certificate chain and key in PEM files.
    ///
    /// # Errors
    /// [`TlsError`] naming the file.
    pub fn from_files(certificate: &Path, key: &Path, clients: Option<&Path>) -> Result<Self, TlsError> {
        Self::new(Source::Files { certificate: certificate.into(), key: key.into() }, clients)
    }

    fn new(source: Source, clients: Option<&Path>) -> Result<Self, TlsError> {
        let current = ArcSwap::new(server_config(&source, clients)?);
        Ok(Self { source, clients: clients.map(Into::into), current })
    }

    /// Reads the files again, for [`use_now`](Self::use_now). `None`: there are none.
    ///
    /// # Errors
    /// [`TlsError`] naming the file.
    pub fn read_again(&self) -> Result<Option<ServerTlsRead>, TlsError> {
        if matches!(self.source, Source::SelfSigned) && self.clients.is_none() {
            return Ok(None);
        }
        server_config(&self.source, self.clients.as_deref()).map(|config| Some(ServerTlsRead(config)))
    }

    /// What was read counts for connections from here on.
    pub fn use_now(&self, read: Option<ServerTlsRead>) {
        if let Some(ServerTlsRead(config)) = read {
            self.current.store(config);
        }
    }

    /// Does the handshake in the server's role.
    ///
    /// # Errors
    /// As the client or the network makes it fail.
    pub async fn accept(&self, raw: Raw) -> std::io::Result<Stream> {
        let stream = TlsAcceptor::from(self.current.load_full()).accept(raw).await?;
        Ok(Stream::Tls(Box::new(TlsStream::Server(stream))))
    }
}

fn server_config(source: &Source, clients: Option<&Path>) -> Result<Arc<ServerConfig>, TlsError> {
    let (chain, key, file) = match source {
        Source::SelfSigned => {
            let file = Path::new("self-signed certificate");
            let made =
                rcgen::generate_simple_self_signed(vec!["tideover".to_owned(), "localhost".to_owned()])
                    .map_err(|e| problem(file, e))?;
            let key =
                PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(|e| problem(file, e))?;
            (vec![made.cert.der().clone()], key, file.to_owned())
        }
        Source::Files { certificate, key } => {
            let chain = certificates(certificate)?;
            let private = PrivateKeyDer::from_pem_file(key).map_err(|e| problem(key, e))?;
            (chain, private, certificate.clone())
        }
    };
    let config = ServerConfig::builder_with_provider(crypto())
        .with_safe_default_protocol_versions()
        .map_err(|e| problem(&file, e))?;
    let config = match clients {
        None => config.with_no_client_auth(),
        Some(authorities) => {
            // A client may come without: whether its account needs one is known later.
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots(authorities)?), crypto())
                    .allow_unauthenticated()
                    .build()
                    .map_err(|e| problem(authorities, e))?;
            config.with_client_cert_verifier(verifier)
        }
    };
    config.with_single_cert(chain, key).map(Arc::new).map_err(|e| problem(&file, e))
}

/// The authorities in a PEM file.
pub(super) fn roots(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|e| problem(file, e))?;
    }
    Ok(roots)
}

pub(super) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(file).map_err(|e| problem(file, e))?.collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err(problem(file, "holds no certificate")),
        Ok(chain) => Ok(chain),
        Err(e) => Err(problem(file, e)),
    }
}

/// A cipher suite of TLS 1.2 or 1.3 by OpenSSL's name: `TLS13_AES_128_GCM_SHA256` is `TLS_AES_128_GCM_SHA256` there, and
/// `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256` is `ECDHE-RSA-AES128-GCM-SHA256`.
pub(super) fn openssl_name(suite: &str) -> String {
    if let Some(rest) = suite.strip_prefix("TLS13_") {
        return format!("TLS_{rest}");
    }
    let name = suite.strip_prefix("TLS_").unwrap_or(suite).replace("_WITH_", "_");
    let name = name.replace("AES_128", "AES128").replace("AES_256", "AES256");
    name.replace("CHACHA20_POLY1305_SHA256", "CHACHA20_POLY1305").replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ciphers_by_the_name_that_the_servers_know() {
        for (suite, name) in [
            ("TLS13_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
            ("TLS13_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256"),
            ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
            ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"),
            ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"),
        ] {
            assert_eq!(openssl_name(suite), name);
        }
    }
}
