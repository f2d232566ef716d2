use std::fmt;

/// An authentication plugin, by the name that stands on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Plugin {
    /// `mysql_native_password`: SHA-1 challenge.
    NativePassword,
    /// `caching_sha2_password`: SHA-256 challenge, the password itself when the server does not know the account yet.
    CachingSha2,
    /// `mysql_clear_password`: the password itself.
    ClearPassword,
    /// `sha256_password`: the password itself, over TLS or RSA.
    Sha256Password,
    /// MariaDB's `client_ed25519`.
    Ed25519,
    /// MariaDB's `parsec`.
    Parsec,
    /// Any other name.
    Other(String),
}

impl Plugin {
    /// The name that the client's half of the plugin has on the wire.
    pub fn name(&self) -> &str {
        match self {
            Self::NativePassword => "mysql_native_password",
            Self::CachingSha2 => "caching_sha2_password",
            Self::ClearPassword => "mysql_clear_password",
            Self::Sha256Password => "sha256_password",
            Self::Ed25519 => "client_ed25519",
            Self::Parsec => "parsec",
            Self::Other(name) => name,
        }
    }

    /// The plugin with this name, be it the client's half or the name in the server's account tables.
    pub fn from_name(name: &str) -> Self {
        match name {
            "mysql_native_password" => Self::NativePassword,
            "caching_sha2_password" => Self::CachingSha2,
            "mysql_clear_password" => Self::ClearPassword,
            "sha256_password" => Self::Sha256Password,
            "client_ed25519" | "ed25519" => Self::Ed25519,
            "parsec" => Self::Parsec,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
