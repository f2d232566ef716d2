//! Who a server connection is logged in as.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use tideover_protocol::handshake::Secret;

/// What a login is like, beside name and secret.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Manner {
    /// Over TLS only: the servers let it in so only (`REQUIRE SSL`).
    pub tls: bool,
    /// With the proxy's own certificate: its client has shown one (`REQUIRE X509`).
    pub certificate: bool,
    /// On behalf of a client at this address, which the servers are told.
    pub client: Option<IpAddr>,
}

/// A user name with what proves it. Compared by an id, so that the secret need not be.
#[derive(Debug)]
pub struct Account {
    user: Vec<u8>,
    secret: ArcSwap<Secret>,
    manner: Manner,
    id: u64,
}

impl Account {
    /// An account with its secret, which stays in memory and is wiped on drop.
    #[must_use]
    pub fn new(user: &[u8], secret: Secret) -> Arc<Self> {
        Self::with(user, secret, Manner::default())
    }

    /// The same, logged in with in a certain manner. Server connections are shared within one manner.
    #[must_use]
    pub fn with(user: &[u8], secret: Secret, manner: Manner) -> Arc<Self> {
        // Keyed with randomness of this process: the id tells nothing about the secret.
        static KEYS: OnceLock<RandomState> = OnceLock::new();
        let mut hasher = KEYS.get_or_init(RandomState::new).build_hasher();
        hasher.write(user);
        hasher.write_u8(0);
        manner.hash(&mut hasher);
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
        Arc::new(Self {
            user: user.to_vec(),
            secret: ArcSwap::from_pointee(secret),
            manner,
            id: hasher.finish(),
        })
    }

    /// The user name.
    #[must_use]
    pub fn user(&self) -> &[u8] {
        &self.user
    }

    /// What proves it.
    #[must_use]
    pub fn secret(&self) -> Arc<Secret> {
        self.secret.load_full()
    }

    /// From now on something else proves it. For the monitor's account, which is known by no id: that of a client with
    /// another secret is another account.
    pub fn renew(&self, secret: Secret) {
        self.secret.store(Arc::new(secret));
    }

    /// What a login is like.
    #[must_use]
    pub fn manner(&self) -> Manner {
        self.manner
    }

    /// Whether `other` is the same user, from the same place, with what proved it before.
    #[must_use]
    pub fn supersedes(&self, other: &Self) -> bool {
        self.user == other.user && self.manner.client == other.manner.client && self.id != other.id
    }

    /// Equal for equal name and secret within this process.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }
}
