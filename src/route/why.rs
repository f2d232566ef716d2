use std::fmt;

/// Where a statement goes, as far as its text tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    /// To the primary.
    Primary(Why),
    /// To a replica, if the session is free to and one of them has what the session must see.
    Replica(Why),
}

impl Route {
    /// Why it goes there.
    #[must_use]
    pub const fn why(self) -> Why {
        match self {
            Self::Primary(why) | Self::Replica(why) => why,
        }
    }

    /// Whether a replica may serve it.
    #[must_use]
    pub const fn is_replica(self) -> bool {
        matches!(self, Self::Replica(_))
    }
}

/// Why a statement goes where it goes. Names are stable: status, metrics and `tideover explain` show them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Why {
    /// It only reads tables and views, and takes no lock.
    Reads,
    /// `/* tideover:replica */` overrides a reason that is a matter of taste: clocks, plans, counters.
    HintReplica,
    /// `/* tideover:primary */`.
    HintPrimary,
    /// A rule of the configuration.
    Rule,
    /// It was not understood well enough.
    Unsure,
    /// It may write.
    Writes,
    /// It takes row locks.
    Locks,
    /// It takes, gives back or asks about named locks.
    NamedLock,
    /// It draws from a sequence, or asks what was drawn.
    Sequence,
    /// It calls a function that is not a known built-in one, a procedure, or a statement prepared in SQL.
    StoredCode,
    /// It begins or ends a transaction.
    Transaction,
    /// It changes the session.
    Session,
    /// The session is tied to the primary just now: a transaction, pins, settings of its own.
    Tied,
    /// It sets a user variable.
    UserVariable,
    /// It writes a file on the server.
    File,
    /// There are several statements in it.
    Several,
    /// It reads or sets LAST_INSERT_ID().
    LastInsertId,
    /// It asks what the statement before it left: warnings, FOUND_ROWS(), ROW_COUNT().
    LooksBack,
    /// It reads the connection's own id.
    ConnectionId,
    /// It is about the server that answers: variables, status, processes, files.
    ServerState,
    /// Its answer depends on what each server keeps for itself: statistics, plans, counters, time zone tables.
    Varies,
    /// It reads a clock, and servers have one each.
    Clock,
    /// It generates an id that is to be unique.
    UniqueId,
    /// It is no SELECT or SHOW, or reads nothing.
    NotARead,
}

impl Why {
    /// All of them.
    pub const ALL: [Self; 24] = [
        Self::Reads,
        Self::HintReplica,
        Self::HintPrimary,
        Self::Rule,
        Self::Unsure,
        Self::Writes,
        Self::Locks,
        Self::NamedLock,
        Self::Sequence,
        Self::StoredCode,
        Self::Transaction,
        Self::Session,
        Self::Tied,
        Self::UserVariable,
        Self::File,
        Self::Several,
        Self::LastInsertId,
        Self::LooksBack,
        Self::ConnectionId,
        Self::ServerState,
        Self::Varies,
        Self::Clock,
        Self::UniqueId,
        Self::NotARead,
    ];

    /// The name, one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::HintReplica => "hint_replica",
            Self::HintPrimary => "hint_primary",
            Self::Rule => "rule",
            Self::Unsure => "unsure",
            Self::Writes => "writes",
            Self::Locks => "locks",
            Self::NamedLock => "named_lock",
            Self::Sequence => "sequence",
            Self::StoredCode => "stored_code",
            Self::Transaction => "transaction",
            Self::Session => "session",
            Self::Tied => "tied",
            Self::UserVariable => "user_variable",
            Self::File => "file",
            Self::Several => "several",
            Self::LastInsertId => "last_insert_id",
            Self::LooksBack => "looks_back",
            Self::ConnectionId => "connection_id",
            Self::ServerState => "server_state",
            Self::Varies => "varies",
            Self::Clock => "clock",
            Self::UniqueId => "unique_id",
            Self::NotARead => "not_a_read",
        }
    }

    /// The reason in words, to go on from "it goes there because …".
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Reads => "it only reads, and every server with the same data answers the same",
            Self::HintReplica => "a hint asks for a replica, and nothing but taste speaks against it",
            Self::HintPrimary => "a hint asks for the primary",
            Self::Rule => "a rule of the configuration says so",
            Self::Unsure => "it was not understood well enough",
            Self::Writes => "it may write",
            Self::Locks => "it locks rows",
            Self::NamedLock => "it is about named locks, which each server has for itself",
            Self::Sequence => "it is about a sequence: drawing from one writes",
            Self::StoredCode => "it runs code that is not in its text and may do anything",
            Self::Transaction => "it begins or ends a transaction",
            Self::Session => "it changes the session",
            Self::Tied => "the session is tied to the primary",
            Self::UserVariable => "it sets a user variable",
            Self::File => "it writes a file on the server",
            Self::Several => "there are several statements in it",
            Self::LastInsertId => "it is about LAST_INSERT_ID(), which belongs to the session",
            Self::LooksBack => "it asks what the statement before it left behind",
            Self::ConnectionId => "it reads the connection's own id",
            Self::ServerState => "its answer is about the server that gives it",
            Self::Varies => "servers with the same data may answer it differently",
            Self::Clock => "it reads a clock, and each server has its own",
            Self::UniqueId => "it generates an id",
            Self::NotARead => "it is no query of tables",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
