//! Who a server connection is logged in as.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, OnceLock};

use tideover_protocol::handshake::Secret;

/// A user name with what proves it. Compared by an id, so that the secret need not be.
#[derive(Debug)]
pub struct Account {
    user: Vec<u8>,
    secret: Secret,
    needs_tls: bool,
    id: u64,
}

impl Account {
    /// An account with its secret, which stays in memory and is wiped on drop.
    #[must_use]
    pub fn new(user: &[u8], secret: Secret) -> Arc<Self> {
        Self::over(user, secret, false)
    }

    /// The same, where the servers let it in over TLS only (`REQUIRE SSL`).
    #[must_use]
    pub fn over(user: &[u8], secret: Secret, needs_tls: bool) -> Arc<Self> {
        // Keyed with randomness of this process: the id tells nothing about the secret.
        static KEYS: OnceLock<RandomState> = OnceLock::new();
        let mut hasher = KEYS.get_or_init(RandomState::new).build_hasher();
        hasher.write(user);
        hasher.write_u8(0);
        hasher.write_u8(u8::from(needs_tls));
        match &secret {
            Secret::Empty => hasher.write_u8(1),
            Secret::Password(password) => {
                hasher.write_u8(2);
                hasher.write(password);
            }
            Secret::NativeStage1(stage1) => {
                hasher.write_u8(3);
                hasher.write(stage1);
            }
        }
        Arc::new(Self { user: user.to_vec(), secret, needs_tls, id: hasher.finish() })
    }

    /// The user name.
    #[must_use]
    pub fn user(&self) -> &[u8] {
        &self.user
    }

    /// What proves it.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Whether to log in over TLS only.
    #[must_use]
    pub fn needs_tls(&self) -> bool {
        self.needs_tls
    }

    /// Equal for equal name and secret within this process.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }
}
