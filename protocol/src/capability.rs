//! Capability flags, and what the proxy makes of them: what it offers, and the dialect that a client was promised.
//!
//! The low 32 bits are MySQL's `CLIENT_*` flags, the high 32 MariaDB's extended ones (sent in reserved bytes of the
//! greeting and the login; both sides leave `LONG_PASSWORD` clear to say that those bytes count).

use bitflags::bitflags;

bitflags! {
    /// Capability flags of a connection, named as in the manual without the `CLIENT_` prefix.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct Capabilities: u64 {
        /// MySQL: improved old passwords, always set. MariaDB calls it CLIENT_MYSQL: clear = extended flags are sent.
        const LONG_PASSWORD = 1;
        /// Affected rows count found rows, not changed ones.
        const FOUND_ROWS = 1 << 1;
        /// Column flags are wide.
        const LONG_FLAG = 1 << 2;
        /// The login names a database.
        const CONNECT_WITH_DB = 1 << 3;
        /// `database.table.column` is refused.
        const NO_SCHEMA = 1 << 4;
        /// Compressed protocol (zlib).
        const COMPRESS = 1 << 5;
        /// No effect in today's servers.
        const ODBC = 1 << 6;
        /// LOAD DATA LOCAL INFILE is allowed.
        const LOCAL_FILES = 1 << 7;
        /// Spaces before `(` are ignored (sql_mode IGNORE_SPACE).
        const IGNORE_SPACE = 1 << 8;
        /// The protocol of 4.1 and later.
        const PROTOCOL_41 = 1 << 9;
        /// `interactive_timeout` instead of `wait_timeout`.
        const INTERACTIVE = 1 << 10;
        /// TLS is possible (greeting) or follows now (login).
        const SSL = 1 << 11;
        /// Client library only.
        const IGNORE_SIGPIPE = 1 << 12;
        /// Status flags are sent.
        const TRANSACTIONS = 1 << 13;
        /// Old name of PROTOCOL_41, unused.
        const RESERVED = 1 << 14;
        /// 20-byte scrambles.
        const SECURE_CONNECTION = 1 << 15;
        /// Several statements in one COM_QUERY.
        const MULTI_STATEMENTS = 1 << 16;
        /// Several results to one COM_QUERY.
        const MULTI_RESULTS = 1 << 17;
        /// Several results to one COM_STMT_EXECUTE.
        const PS_MULTI_RESULTS = 1 << 18;
        /// Authentication plugins are named.
        const PLUGIN_AUTH = 1 << 19;
        /// Connection attributes.
        const CONNECT_ATTRS = 1 << 20;
        /// The login's password field has a length-encoded length.
        const PLUGIN_AUTH_LENENC = 1 << 21;
        /// The client copes with an expired password.
        const CAN_HANDLE_EXPIRED_PASSWORDS = 1 << 22;
        /// OK packets carry session-track items.
        const SESSION_TRACK = 1 << 23;
        /// OK packets replace EOF packets.
        const DEPRECATE_EOF = 1 << 24;
        /// MySQL: result set metadata can be left out.
        const OPTIONAL_RESULTSET_METADATA = 1 << 25;
        /// Compressed protocol (zstd).
        const ZSTD_COMPRESSION = 1 << 26;
        /// MySQL: attributes in COM_QUERY and COM_STMT_EXECUTE.
        const QUERY_ATTRIBUTES = 1 << 27;
        /// MySQL: several authentication factors.
        const MULTI_FACTOR_AUTHENTICATION = 1 << 28;
        /// Reserved for extending the flags.
        const CAPABILITY_EXTENSION = 1 << 29;
        /// Client library only.
        const SSL_VERIFY_SERVER_CERT = 1 << 30;
        /// Client library only.
        const REMEMBER_OPTIONS = 1 << 31;
        /// MariaDB: progress reports in the form of ERR packets with code 0xffff.
        const PROGRESS = 1 << 32;
        /// MariaDB: COM_MULTI, withdrawn.
        const COM_MULTI = 1 << 33;
        /// MariaDB: COM_STMT_BULK_EXECUTE.
        const STMT_BULK_OPERATIONS = 1 << 34;
        /// MariaDB: extended type information in column definitions.
        const EXTENDED_METADATA = 1 << 35;
        /// MariaDB: metadata that the client already has is not sent again.
        const CACHE_METADATA = 1 << 36;
        /// MariaDB: a bulk execution answers with a result set, a row for each unit.
        const BULK_UNIT_RESULTS = 1 << 37;
    }
}

impl Capabilities {
    /// MariaDB's flags.
    pub const EXTENDED: Self = Self::from_bits_retain(0xffff_ffff_0000_0000);

    /// What no connection of the proxy goes without.
    pub const ESSENTIAL: Self = Self::PROTOCOL_41
        .union(Self::SECURE_CONNECTION)
        .union(Self::PLUGIN_AUTH)
        .union(Self::TRANSACTIONS)
        .union(Self::LONG_FLAG);

    /// Flags that change the bytes of commands or answers, or what a statement means: they must be the same on both
    /// sides of the proxy. Session tracking is left out: servers are always asked for it, and OK packets are
    /// written anew for clients that did not.
    pub const DIALECT: Self = Self::FOUND_ROWS
        .union(Self::NO_SCHEMA)
        .union(Self::LOCAL_FILES)
        .union(Self::IGNORE_SPACE)
        .union(Self::INTERACTIVE)
        .union(Self::MULTI_STATEMENTS)
        .union(Self::MULTI_RESULTS)
        .union(Self::PS_MULTI_RESULTS)
        .union(Self::DEPRECATE_EOF)
        .union(Self::OPTIONAL_RESULTSET_METADATA)
        .union(Self::QUERY_ATTRIBUTES)
        .union(Self::PROGRESS)
        .union(Self::STMT_BULK_OPERATIONS)
        .union(Self::EXTENDED_METADATA)
        .union(Self::CACHE_METADATA)
        .union(Self::BULK_UNIT_RESULTS);

    /// Flags of [`Self::DIALECT`] that MariaDB 10.2 and MySQL 5.7 and all later servers have.
    pub const DIALECT_OF_ALL: Self = Self::FOUND_ROWS
        .union(Self::NO_SCHEMA)
        .union(Self::LOCAL_FILES)
        .union(Self::IGNORE_SPACE)
        .union(Self::INTERACTIVE)
        .union(Self::MULTI_STATEMENTS)
        .union(Self::MULTI_RESULTS)
        .union(Self::PS_MULTI_RESULTS)
        .union(Self::DEPRECATE_EOF);

    /// What the proxy can serve at all.
    ///
    /// Not in it: several factors (not implemented); CACHE_METADATA, because a statement that is
    /// prepared anew on another server connection would make that server believe that the client knows metadata which
    /// it has never seen.
    pub const SERVED: Self = Self::ESSENTIAL
        .union(Self::LONG_PASSWORD)
        .union(Self::CONNECT_WITH_DB)
        .union(Self::ODBC)
        .union(Self::IGNORE_SIGPIPE)
        .union(Self::RESERVED)
        .union(Self::CONNECT_ATTRS)
        .union(Self::COMPRESS)
        .union(Self::ZSTD_COMPRESSION)
        .union(Self::PLUGIN_AUTH_LENENC)
        .union(Self::SESSION_TRACK)
        .union(Self::DIALECT.difference(Self::CACHE_METADATA));

    /// What the proxy offers to clients, given what the servers behind it offer: the part of the servers' flags that
    /// it can serve, with TLS as the proxy has it. A set made from several servers' greetings is their intersection.
    pub fn offered(servers: Self, tls: bool) -> Self {
        let mut offer = (servers & Self::SERVED) | Self::ESSENTIAL | Self::CONNECT_WITH_DB;
        offer |= Self::CONNECT_ATTRS | Self::PLUGIN_AUTH_LENENC;
        offer.set(Self::SSL, tls);
        offer
    }

    /// The flags that a login with these capabilities can use if the other side has `other`: the intersection,
    /// with `LONG_PASSWORD` clear exactly when extended flags are left in it.
    pub fn negotiated(self, other: Self) -> Self {
        let mut both = self & other;
        both.set(Self::LONG_PASSWORD, !both.intersects(Self::EXTENDED));
        both
    }

    /// The MySQL half as it stands on the wire.
    pub fn low(self) -> u32 {
        let [a, b, c, d, ..] = self.bits().to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    /// The MariaDB half as it stands on the wire.
    pub fn high(self) -> u32 {
        let [.., a, b, c, d] = self.bits().to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    /// Both halves from the wire; bits without a name are kept.
    pub fn from_halves(low: u32, high: u32) -> Self {
        Self::from_bits_retain(u64::from(low) | (u64::from(high) << 32))
    }
}

/// How a client and its server connections talk: connections are interchangeable only within one dialect, so it is part
/// of a pool's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Dialect {
    /// Only flags of [`Capabilities::DIALECT`].
    pub capabilities: Capabilities,
    /// The collation id of the login: it decides the session's character sets until they are set.
    pub collation: u8,
}

impl Dialect {
    /// The dialect of a client that logged in with `capabilities` (already intersected with the offer).
    pub fn new(capabilities: Capabilities, collation: u8) -> Self {
        Self { capabilities: capabilities & Capabilities::DIALECT, collation }
    }

    /// What to ask of a server so that the connection speaks this dialect: its flags, session tracking, and what
    /// every connection has. The caller adds `CONNECT_WITH_DB` and `SSL` as the login needs them.
    pub fn asked(self) -> Capabilities {
        let mut wanted = self.capabilities
            | Capabilities::ESSENTIAL
            | Capabilities::SESSION_TRACK
            | Capabilities::PLUGIN_AUTH_LENENC
            | Capabilities::CONNECT_ATTRS;
        wanted.set(Capabilities::LONG_PASSWORD, !wanted.intersects(Capabilities::EXTENDED));
        wanted
    }

    /// Flags of this dialect that a server with `server` capabilities cannot give. Not empty: the
    /// client must not be sent there.
    pub fn missing(self, server: Capabilities) -> Capabilities {
        self.capabilities.difference(server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offer_is_what_servers_and_proxy_have_in_common() {
        let server = Capabilities::all().difference(Capabilities::LONG_PASSWORD);
        let offer = Capabilities::offered(server, false);
        assert!(!offer.intersects(Capabilities::MULTI_FACTOR_AUTHENTICATION | Capabilities::SSL));
        assert!(!offer.intersects(Capabilities::CACHE_METADATA | Capabilities::LONG_PASSWORD));
        assert!(offer.contains(Capabilities::STMT_BULK_OPERATIONS | Capabilities::DEPRECATE_EOF));
        assert!(Capabilities::offered(server, true).contains(Capabilities::SSL));
        assert!(!Capabilities::offered(Capabilities::ESSENTIAL, true).contains(Capabilities::DEPRECATE_EOF));
    }

    #[test]
    fn long_password_is_clear_exactly_when_extended_flags_are_used() {
        let plain = Dialect::new(Capabilities::DEPRECATE_EOF | Capabilities::SSL, 45);
        assert_eq!(plain.capabilities, Capabilities::DEPRECATE_EOF);
        assert!(plain.asked().contains(Capabilities::LONG_PASSWORD | Capabilities::SESSION_TRACK));
        let mariadb = Dialect::new(Capabilities::STMT_BULK_OPERATIONS, 45);
        assert!(!mariadb.asked().contains(Capabilities::LONG_PASSWORD));
        assert_eq!(mariadb.missing(Capabilities::ESSENTIAL), Capabilities::STMT_BULK_OPERATIONS);
        let both = mariadb.asked().negotiated(Capabilities::from_halves(u32::MAX, 0));
        assert!(both.contains(Capabilities::LONG_PASSWORD));
    }

    #[test]
    fn halves_come_back() {
        let flags = Capabilities::PROTOCOL_41 | Capabilities::EXTENDED_METADATA;
        assert_eq!(Capabilities::from_halves(flags.low(), flags.high()), flags);
    }
}
