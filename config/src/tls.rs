use std::path::PathBuf;

use super::kind::Choice;
use super::section::{Applies, Section};

/// Whether clients may or must use TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// It is not offered.
    Off,
    /// It is offered.
    Optional,
    /// Logins without it are refused.
    Required,
}

/// `[tls]`: TLS towards clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// `mode`.
    pub mode: TlsMode,
    /// `cert_file` and `key_file`, PEM; without them a certificate is made at start, as database servers do.
    pub files: Option<TlsFiles>,
    /// `client_ca_file`: authorities whose certificates clients may show, PEM.
    pub client_ca: Option<PathBuf>,
}

/// A certificate chain and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, PEM.
    pub certificate: PathBuf,
    /// The key, PEM.
    pub key: PathBuf,
}

const MODES: &[(&str, TlsMode)] =
    &[("off", TlsMode::Off), ("optional", TlsMode::Optional), ("required", TlsMode::Required)];

impl Tls {
    pub(crate) fn read(mut section: Section<'_>) -> Self {
        let mode = section.get("mode", Applies::AtStart, Choice(MODES), TlsMode::Optional);
        let files = TlsFiles::read(&mut section, "tls");
        let client_ca = section.path("client_ca_file", Applies::AtStart);
        if mode == TlsMode::Off && client_ca.is_some() {
            section.reader.blame("tls.client_ca_file", "has no effect while tls.mode is \"off\"");
        }
        section.close();
        Self { mode, files, client_ca }
    }
}

impl TlsFiles {
    /// Both, or neither.
    pub(crate) fn read(section: &mut Section<'_>, table: &str) -> Option<Self> {
        let certificate = section.path("cert_file", Applies::AtStart);
        let key = section.path("key_file", Applies::AtStart);
        match (certificate, key) {
            (Some(certificate), Some(key)) => Some(Self { certificate, key }),
            (Some(_), None) => {
                section
                    .reader
                    .blame(&format!("{table}.cert_file"), format!("needs {table}.key_file beside it"));
                None
            }
            (None, Some(_)) => {
                section
                    .reader
                    .blame(&format!("{table}.key_file"), format!("needs {table}.cert_file beside it"));
                None
            }
            (None, None) => None,
        }
    }
}
