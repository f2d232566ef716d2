//! Certificates for tests.

use std::{fs, path::Path};

use mysql_async::{OptsBuilder, SslOpts};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::TestResult;

/// A certificate authority and what it signs, as PEM files.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> TestResult<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { pem, issuer: Issuer::new(params, key) })
    }

    /// Writes a certificate made out to `name`, and its key, as `NAME.pem` and `NAME.key` into `directory`.
    pub(crate) fn write_for(&self, directory: &Path, name: &str) -> TestResult {
        fs::create_dir_all(directory)?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::OrganizationName, "Shop");
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        fs::write(directory.join(format!("{name}.key")), key.serialize_pem())?;
        fs::write(directory.join(format!("{name}.pem")), certificate.pem())?;
        Ok(())
    }

    /// Writes a certificate for loopback, its key and the authority's own certificate into `directory`.
    pub(crate) fn write(&self, directory: &Path) -> TestResult {
        fs::create_dir_all(directory)?;
        let params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        fs::write(directory.join("key.pem"), key.serialize_pem())?;
        fs::write(directory.join("cert.pem"), certificate.pem())?;
        fs::write(directory.join("ca.pem"), &self.pem)?;
        Ok(())
    }

    /// Client options that trust this authority and nobody else.
    pub(crate) fn trusted(&self, options: OptsBuilder) -> OptsBuilder {
        let root = self.pem.clone().into_bytes().into();
        options.ssl_opts(Some(
            SslOpts::default()
                .with_root_certs(vec![root])
                .with_disable_built_in_roots(true)
                .with_danger_tls_hostname_override(Some("localhost")),
        ))
    }
}

/// Options of a server that shows the certificate in `directory` and trusts its authority.
pub(crate) fn server_options(directory: &Path) -> Vec<String> {
    [("ca", "ca.pem"), ("cert", "cert.pem"), ("key", "key.pem")]
        .map(|(name, file)| format!("--ssl-{name}={}", directory.join(file).display()))
        .into()
}

pub(crate) fn directory(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()))
}

pub(crate) fn file(directory: &Path, name: &str) -> String {
    format!("\"{}\"", directory.join(name).display())
}
