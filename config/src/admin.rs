use std::net::SocketAddr;

use super::kind::SocketOrOff;
use super::secret::Secret;
use super::section::{Applies, Section};

/// `[admin]`: the HTTP API for operators, metrics and probes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// `listen`: where; `"off"` for nowhere.
    pub listen: Option<SocketAddr>,
    /// `token` or `token_file`: the bearer token that callers must show. Needed beyond loopback.
    pub token: Option<Secret<String>>,
}

impl Admin {
    pub(crate) fn read(mut section: Section<'_>) -> Self {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 9307));
        let listen = section.get("listen", Applies::AtStart, SocketOrOff, Some(loopback));
        let token = section.secret("token", "token_file", Applies::AtStart);
        if token.as_ref().is_some_and(|token| token.expose().is_empty()) {
            section.reader.blame("admin.token", "is empty, expected a token");
        }
        if let Some(address) = listen.filter(|address| !address.ip().is_loopback() && token.is_none()) {
            let message = format!(
                "\"{address}\" can be reached from other machines; set admin.token or admin.token_file"
            );
            section.reader.blame("admin.listen", message);
        }
        section.close();
        Self { listen, token }
    }
}
