use std::path::PathBuf;

use super::kind::Choice;
use super::section::{Applies, Section};
use super::tls::TlsFiles;

/// How much TLS the proxy wants of the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerTlsMode {
    /// None.
    Off,
    /// Where a server offers it.
    Preferred,
    /// Always, with any certificate.
    Required,
    /// Always, with a certificate of the given authority.
    VerifyCa,
    /// The same, and made out to the server's host name.
    VerifyIdentity,
}

/// `[server_tls]`: TLS towards servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTls {
    /// `mode`.
    pub mode: ServerTlsMode,
    /// `ca_file`: certificates of the authorities, PEM; there if the mode verifies.
    pub ca: Option<PathBuf>,
    /// `cert_file` and `key_file`, PEM: what the proxy shows for accounts that need a certificate.
    pub files: Option<TlsFiles>,
}

const MODES: &[(&str, ServerTlsMode)] = &[
    ("off", ServerTlsMode::Off),
    ("preferred", ServerTlsMode::Preferred),
    ("required", ServerTlsMode::Required),
    ("verify_ca", ServerTlsMode::VerifyCa),
    ("verify_identity", ServerTlsMode::VerifyIdentity),
];

impl ServerTls {
    pub(crate) fn read(mut section: Section<'_>) -> Self {
        let mode = section.get("mode", Applies::AtStart, Choice(MODES), ServerTlsMode::Preferred);
        let ca = section.path("ca_file", Applies::AtStart);
        if matches!(mode, ServerTlsMode::VerifyCa | ServerTlsMode::VerifyIdentity) && ca.is_none() {
            section.reader.blame("server_tls.mode", "needs server_tls.ca_file: whom to trust");
        }
        let files = TlsFiles::read(&mut section, "server_tls");
        if mode == ServerTlsMode::Off && files.is_some() {
            section.reader.blame("server_tls.cert_file", "has no effect while server_tls.mode is \"off\"");
        }
        section.close();
        Self { mode, ca, files }
    }
}
