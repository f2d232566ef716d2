//! TLS configurations for both directions. The cryptographic provider is named here and nowhere else.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs as provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::stream::{Raw, Stream};

/// What is wrong with certificates or keys, and in which file.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct TlsError {
    file: String,
    problem: String,
}

fn problem(file: &Path, problem: impl fmt::Display) -> TlsError {
    TlsError { file: file.display().to_string(), problem: problem.to_string() }
}

fn crypto() -> Arc<CryptoProvider> {
    Arc::new(provider::default_provider())
}

/// Where our certificate comes from.
#[derive(Debug, Clone)]
enum Source {
    SelfSigned,
    Files { certificate: PathBuf, key: PathBuf },
}

/// TLS towards clients; can be reloaded while it serves.
#[derive(Debug)]
pub struct ServerTls {
    source: Source,
    current: ArcSwap<ServerConfig>,
}

impl ServerTls {
    /// With a certificate made for this run, as the servers make one for themselves.
    ///
    /// # Errors
    /// [`TlsError`] when the library refuses.
    pub fn self_signed() -> Result<Self, TlsError> {
        Self::new(Source::SelfSigned)
    }

    /// With a certificate chain and key in PEM files.
    ///
    /// # Errors
    /// [`TlsError`] naming the file.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        Self::new(Source::Files { certificate: certificate.into(), key: key.into() })
    }

    fn new(source: Source) -> Result<Self, TlsError> {
        let current = ArcSwap::new(server_config(&source)?);
        Ok(Self { source, current })
    }

    /// Reads the files again. On an error the old certificate stays in use.
    ///
    /// # Errors
    /// [`TlsError`] naming the file.
    pub fn reload(&self) -> Result<(), TlsError> {
        if matches!(self.source, Source::Files { .. }) {
            self.current.store(server_config(&self.source)?);
        }
        Ok(())
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

fn server_config(source: &Source) -> Result<Arc<ServerConfig>, TlsError> {
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
        .map_err(|e| problem(&file, e))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|e| problem(&file, e))?;
    Ok(Arc::new(config))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(file).map_err(|e| problem(file, e))?.collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err(problem(file, "holds no certificate")),
        Ok(chain) => Ok(chain),
        Err(e) => Err(problem(file, e)),
    }
}

/// How much of a server's certificate is checked; named as MySQL's `--ssl-mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientTlsMode {
    /// No TLS.
    Off,
    /// TLS if the server has it; no verification.
    Preferred,
    /// TLS or nothing; no verification.
    Required,
    /// The certificate must come from the CA.
    VerifyCa,
    /// And be for the host that we connect to.
    VerifyIdentity,
}

/// TLS towards servers.
#[derive(Debug, Clone)]
pub struct ClientTls {
    mode: ClientTlsMode,
    config: Arc<ClientConfig>,
}

impl ClientTls {
    /// `ca` is needed by the verifying modes and ignored by the others.
    ///
    /// # Errors
    /// [`TlsError`] naming the file.
    pub fn new(mode: ClientTlsMode, ca: Option<&Path>) -> Result<Self, TlsError> {
        let provider = crypto();
        let algorithms = provider.signature_verification_algorithms;
        let verifier: Arc<dyn ServerCertVerifier> = match (mode, ca) {
            (ClientTlsMode::VerifyCa | ClientTlsMode::VerifyIdentity, Some(file)) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(file)? {
                    roots.add(certificate).map_err(|e| problem(file, e))?;
                }
                let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                    .build()
                    .map_err(|e| problem(file, e))?;
                Arc::new(Verifier {
                    inner: Some(inner),
                    identity: mode == ClientTlsMode::VerifyIdentity,
                    algorithms,
                })
            }
            (ClientTlsMode::VerifyCa | ClientTlsMode::VerifyIdentity, None) => {
                return Err(problem(Path::new("server_tls.ca"), "needed to verify servers"));
            }
            _ => Arc::new(Verifier { inner: None, identity: false, algorithms }),
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| problem(Path::new("server_tls"), e))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(Self { mode, config: Arc::new(config) })
    }

    /// How much is demanded.
    #[must_use]
    pub fn mode(&self) -> ClientTlsMode {
        self.mode
    }

    /// Does the handshake in the client's role with the host of `address` (`host:port`).
    ///
    /// # Errors
    /// As the server, its certificate or the network makes it fail.
    pub async fn connect(&self, raw: Raw, address: &str) -> std::io::Result<Stream> {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host)
            .map_err(|e| std::io::Error::new(std::io::ErrorKind::InvalidInput, e))?;
        let stream = TlsConnector::from(self.config.clone()).connect(name, raw).await?;
        Ok(Stream::Tls(Box::new(TlsStream::Client(stream))))
    }
}

/// Checks as much as the mode demands. Without a CA nothing can be checked but the handshake's signature: that is what
/// MySQL's PREFERRED and REQUIRED mean.
#[derive(Debug)]
struct Verifier {
    inner: Option<Arc<WebPkiServerVerifier>>,
    identity: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(inner) = &self.inner else { return Ok(ServerCertVerified::assertion()) };
        match inner.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(
                rustls::CertificateError::NotValidForName
                | rustls::CertificateError::NotValidForNameContext { .. },
            )) if !self.identity => Ok(ServerCertVerified::assertion()),
            Ok(done) if self.identity => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
                Ok(done)
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
