//! What an account asks of its connections (`REQUIRE`). Servers see the proxy's connection and not the client's: so the
//! proxy checks what the client's is like, and then brings what the servers want to see.

use std::sync::Arc;

use tideover_protocol::auth::CertificateNames;

use crate::net::Stream;

/// What an account asks of its connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Channel {
    /// Nothing.
    Any,
    /// TLS (`REQUIRE SSL`).
    Tls,
    /// TLS and a certificate of the client's that our authorities have issued (`REQUIRE X509`).
    Certificate,
    /// TLS and what is named (`REQUIRE SUBJECT …`, `ISSUER …`, `CIPHER …`).
    Specified(Arc<Demands>),
}

/// What `REQUIRE` names; empty where it names nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Demands {
    /// The subject of the client's certificate, in one line.
    pub subject: String,
    /// Its issuer.
    pub issuer: String,
    /// The TLS cipher.
    pub cipher: String,
}

impl Channel {
    /// By the columns of the account tables: `ssl_type` is empty, `ANY`, `X509` or `SPECIFIED`.
    pub(super) fn of(ssl_type: &[u8], demands: Demands) -> Self {
        match ssl_type {
            b"" => Self::Any,
            b"ANY" => Self::Tls,
            b"X509" => Self::Certificate,
            // What is not known is as much as can be asked.
            _ => Self::Specified(Arc::new(demands)),
        }
    }

    /// Whether a client on this stream may log in.
    pub(super) fn admits(&self, stream: &Stream) -> bool {
        match self {
            Self::Any => true,
            Self::Tls => stream.is_tls(),
            // The handshake has verified whatever certificate there is.
            Self::Certificate => stream.peer_certificate().is_some(),
            Self::Specified(demands) => {
                let names = stream.peer_certificate().and_then(|der| CertificateNames::read(der).ok());
                demands.are_met(names.as_ref(), stream.cipher().as_deref())
            }
        }
    }

    /// Whether servers let it in over TLS only.
    pub(super) fn needs_tls(&self) -> bool {
        *self != Self::Any
    }

    /// Whether servers want a certificate of it.
    pub(super) fn needs_certificate(&self) -> bool {
        match self {
            Self::Any | Self::Tls => false,
            Self::Certificate => true,
            Self::Specified(demands) => !demands.subject.is_empty() || !demands.issuer.is_empty(),
        }
    }
}

impl Demands {
    /// Whether a connection with this cipher and, if the client has shown a certificate, these names is as demanded.
    fn are_met(&self, names: Option<&CertificateNames>, cipher: Option<&str>) -> bool {
        let fits = |demanded: &str, found: Option<&str>| demanded.is_empty() || found == Some(demanded);
        // Over TLS there is a cipher, whatever it is.
        cipher.is_some()
            && fits(&self.cipher, cipher)
            && fits(&self.subject, names.map(|names| names.subject.as_str()))
            && fits(&self.issuer, names.map(|names| names.issuer.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_must_be_there() {
        let shown = CertificateNames { subject: "/CN=app".to_owned(), issuer: "/CN=ca".to_owned() };
        for (subject, issuer, cipher, with_certificate, met) in [
            ("/CN=app", "", "", true, true),
            ("/CN=app", "", "", false, false),
            ("/CN=other", "", "", true, false),
            ("", "/CN=ca", "", true, true),
            ("/CN=app", "/CN=other", "", true, false),
            ("", "", "C1", false, true),
            ("", "", "C2", true, false),
            ("/CN=app", "/CN=ca", "C1", true, true),
        ] {
            let demands =
                Demands { subject: subject.to_owned(), issuer: issuer.to_owned(), cipher: cipher.to_owned() };
            let names = with_certificate.then_some(&shown);
            assert_eq!(demands.are_met(names, Some("C1")), met, "{demands:?} {with_certificate}");
            assert!(!demands.are_met(names, None), "without TLS");
        }
    }

    #[test]
    fn columns_of_the_account_tables() {
        let of = |ssl_type: &[u8]| Channel::of(ssl_type, Demands::default());
        let needs = |channel: Channel| (channel.needs_tls(), channel.needs_certificate());
        assert_eq!(needs(of(b"")), (false, false));
        assert_eq!(needs(of(b"ANY")), (true, false));
        assert_eq!(needs(of(b"X509")), (true, true));
        let subject = Demands { subject: "/CN=app".to_owned(), ..Demands::default() };
        assert_eq!(needs(Channel::of(b"SPECIFIED", subject)), (true, true));
        let cipher = Demands { cipher: "C1".to_owned(), ..Demands::default() };
        assert_eq!(needs(Channel::of(b"SPECIFIED", cipher)), (true, false));
    }
}
