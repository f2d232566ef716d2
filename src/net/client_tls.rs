//! TLS towards servers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio_rustls::{TlsConnector, TlsStream};

use super::stream::{Raw, Stream};
use super::tls::{TlsError, certificates, crypto, problem, roots};

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

/// What TLS towards servers is made of.
#[derive(Debug, Clone, Default)]
pub struct ClientTlsFiles {
    /// The authorities that are trusted, PEM: needed by the verifying modes, ignored by the others.
    pub ca: Option<PathBuf>,
    /// A certificate chain and its key, PEM, that the proxy shows for accounts that need one.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// TLS towards servers; can be reloaded. Clones are the same.
#[derive(Debug, Clone)]
pub struct ClientTls {
    mode: ClientTlsMode,
    files: Arc<ClientTlsFiles>,
    current: Arc<ArcSwap<ClientTlsRead>>,
}

/// Certificates that were read.
#[derive(Debug)]
pub struct ClientTlsRead {
    plain: Arc<ClientConfig>,
    /// With the proxy's certificate, if it has one.
    certified: Option<Arc<ClientConfig>>,
}

impl ClientTls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`] naming the file.
    pub fn new(mode: ClientTlsMode, files: ClientTlsFiles) -> Result<Self, TlsError> {
        let current = Arc::new(ArcSwap::from_pointee(read(mode, &files)?));
        Ok(Self { mode, files: Arc::new(files), current })
    }

    /// Reads the files again, for [`use_now`](Self::use_now).
    ///
    /// # Errors
    /// [`TlsError`] naming the file.
    pub fn read_again(&self) -> Result<ClientTlsRead, TlsError> {
        read(self.mode, &self.files)
    }

    /// What was read counts for connections from here on.
    pub fn use_now(&self, read: ClientTlsRead) {
        self.current.store(Arc::new(read));
    }

    /// How much is demanded.
    #[must_use]
    pub fn mode(&self) -> ClientTlsMode {
        self.mode
    }

    /// Whether there is a certificate to show.
    #[must_use]
    pub fn has_certificate(&self) -> bool {
        self.files.certificate.is_some()
    }

    /// Does the handshake in the client's role with the host of `address` (`host:port`). The proxy's certificate is shown
    /// only if the caller says so: it proves to the server what the proxy has seen proven by its client.
    ///
    /// # Errors
    /// As the server, its certificate or the network makes it fail.
    pub async fn connect(&self, raw: Raw, address: &str, certified: bool) -> std::io::Result<Stream> {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host)
            .map_err(|e| std::io::Error::new(std::io::ErrorKind::InvalidInput, e))?;
        let config = {
            let current = self.current.load();
            let own = current.certified.as_ref().filter(|_| certified);
            own.unwrap_or(&current.plain).clone()
        };
        let stream = TlsConnector::from(config).connect(name, raw).await?;
        Ok(Stream::Tls(Box::new(TlsStream::Client(stream))))
    }
}

fn read(mode: ClientTlsMode, files: &ClientTlsFiles) -> Result<ClientTlsRead, TlsError> {
    let provider = crypto();
    let algorithms = provider.signature_verification_algorithms;
    let verifier = match (mode, &files.ca) {
        (ClientTlsMode::VerifyCa | ClientTlsMode::VerifyIdentity, Some(file)) => {
            let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(file)?), provider.clone())
                .build()
                .map_err(|e| problem(file, e))?;
            Verifier { inner: Some(inner), identity: mode == ClientTlsMode::VerifyIdentity, algorithms }
        }
        (ClientTlsMode::VerifyCa | ClientTlsMode::VerifyIdentity, None) => {
            return Err(problem(Path::new("server_tls.ca_file"), "needed to verify servers"));
        }
        _ => Verifier { inner: None, identity: false, algorithms },
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| problem(Path::new("server_tls"), e))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let certified = match &files.certificate {
        None => None,
        Some((certificate, key)) => {
            let chain = certificates(certificate)?;
            let private = PrivateKeyDer::from_pem_file(key).map_err(|e| problem(key, e))?;
            let config = builder.clone().with_client_auth_cert(chain, private);
            Some(Arc::new(config.map_err(|e| problem(certificate, e))?))
        }
    };
    Ok(ClientTlsRead { plain: Arc::new(builder.with_no_client_auth()), certified })
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
