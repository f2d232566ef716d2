use bitflags::bitflags;

bitflags! {
    /// What running a statement may do, as far as its text tells.
    ///
    /// A statement with neither `READS_ONLY` nor `WRITES` (COMMIT, SET, LOCK TABLES …) belongs on the session's
    /// server, the primary as a rule, and must not be run again blindly.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct Effects: u64 {
        /// Surely changes nothing, neither data nor session, and takes no lock: it may be run again. It may
        /// still depend on where it runs: see the `READS_` flags.
        const READS_ONLY = 1;
        /// May write data: needs the primary, gets a commit tag if its text can carry one, is not repeatable.
        const WRITES = 1 << 1;
        /// Takes row locks: `FOR UPDATE`, `FOR SHARE`, `LOCK IN SHARE MODE`.
        const LOCKING = 1 << 2;
        /// Ends an open transaction with a commit before or while it runs (may, for `UNLOCK TABLES` and
        /// `SET autocommit`: the status flags of the answer tell).
        const IMPLICIT_COMMIT = 1 << 3;
        /// Opens a transaction (`BEGIN`, `START TRANSACTION`, `XA START`).
        const BEGINS = 1 << 4;
        /// Ends the transaction (`COMMIT`, `ROLLBACK`, `XA COMMIT`, `XA ROLLBACK`).
        const ENDS = 1 << 5;
        /// `… AND CHAIN`: the end of one transaction opens the next.
        const CHAIN = 1 << 6;
        /// `… RELEASE`: the server closes the connection afterwards.
        const RELEASE = 1 << 7;
        /// Sets something of the session: a system variable, character set, schema, role.
        const SETS_SESSION = 1 << 8;
        /// Sets a global system variable (`SET GLOBAL`, `PERSIST`, `PERSIST_ONLY`).
        const SETS_GLOBAL = 1 << 9;
        /// Sets a user variable: `SET @a`, `@a := …`, `INTO @a`, an OUT argument.
        const SETS_USER_VARIABLE = 1 << 10;
        /// Reads a user variable.
        const READS_USER_VARIABLE = 1 << 11;
        /// `SET TRANSACTION …` without scope: holds for the next transaction only.
        const SETS_NEXT_TRANSACTION = 1 << 12;
        /// Creates a temporary table.
        const TEMPORARY_TABLE = 1 << 13;
        /// Drops temporary tables, or may (a plain `DROP TABLE` does too).
        const DROPS_TEMPORARY = 1 << 14;
        /// Takes a named lock: `GET_LOCK`.
        const USER_LOCK = 1 << 15;
        /// Gives named locks back: `RELEASE_LOCK`, `RELEASE_ALL_LOCKS`.
        const RELEASES_USER_LOCK = 1 << 16;
        /// `RELEASE_ALL_LOCKS`: none is left.
        const RELEASES_ALL_USER_LOCKS = 1 << 17;
        /// `LOCK TABLES`, `FLUSH TABLES … WITH READ LOCK` or `FOR EXPORT`, `LOCK INSTANCE`, `BACKUP`.
        const TABLE_LOCK = 1 << 18;
        /// SQL-level `PREPARE`.
        const SQL_PREPARE = 1 << 19;
        /// SQL-level `EXECUTE`: what runs is not in the text.
        const SQL_EXECUTE = 1 << 20;
        /// Reads `LAST_INSERT_ID()`, `@@last_insert_id` or `@@identity`.
        const READS_LAST_INSERT_ID = 1 << 21;
        /// Sets it: `LAST_INSERT_ID(expr)`, `SET last_insert_id`.
        const SETS_LAST_INSERT_ID = 1 << 22;
        /// Reads `FOUND_ROWS()`.
        const READS_FOUND_ROWS = 1 << 23;
        /// `SQL_CALC_FOUND_ROWS`.
        const CALCULATES_FOUND_ROWS = 1 << 24;
        /// Reads `ROW_COUNT()`.
        const READS_ROW_COUNT = 1 << 25;
        /// Reads the previous statement's conditions: `SHOW WARNINGS`, `SHOW ERRORS`, their counts,
        /// `GET DIAGNOSTICS`, `@@warning_count`, `@@error_count`.
        const READS_DIAGNOSTICS = 1 << 26;
        /// Reads the statement's time, which `SET timestamp` can pin: `NOW()` and kin.
        const READS_CLOCK = 1 << 27;
        /// Reads the time of day at the moment of evaluation, which `SET timestamp` does not pin.
        const READS_SYSDATE = 1 << 28;
        /// Reads `RAND()`, which `SET rand_seed1, rand_seed2` can pin.
        const READS_RANDOM = 1 << 29;
        /// Reads something that is new each time and cannot be pinned: `UUID()`, `RANDOM_BYTES()`.
        const READS_UUID = 1 << 30;
        /// Reads the server connection's own id.
        const READS_CONNECTION_ID = 1 << 31;
        /// `HANDLER … OPEN`.
        const HANDLER_OPEN = 1 << 32;
        /// `HANDLER … CLOSE`.
        const HANDLER_CLOSE = 1 << 33;
        /// Any XA statement.
        const XA = 1 << 34;
        /// Writes a file on the server: `INTO OUTFILE`, `INTO DUMPFILE`.
        const OUTFILE = 1 << 35;
        /// Runs code that is not in the text: `CALL`, or a function that is not a known built-in one.
        const STORED_CODE = 1 << 36;
        /// More than one statement.
        const MULTI = 1 << 37;
        /// Uses a sequence: `NEXTVAL`, `NEXT VALUE FOR`, `SETVAL` (with `WRITES`), `LASTVAL` (without).
        const SEQUENCE = 1 << 38;
        /// Waits on purpose: `SLEEP`, `BENCHMARK`, waiting for a replication position.
        const SLEEPS = 1 << 39;
        /// The text was not understood well enough. Comes with `WRITES`, never with `READS_ONLY` or tags.
        const UNSURE = 1 << 40;
        /// The answer is about the server that gives it: `@@variables`, status, processes, waiting locks.
        const READS_SERVER_STATE = 1 << 41;
        /// `SET ROLE`: no session tracker reports it.
        const SETS_ROLE = 1 << 42;
        /// Also sets a user variable from something other than a literal; only then is `SET @a` not repeatable
        /// elsewhere from its text.
        const COMPUTES_USER_VARIABLE = 1 << 43;
        /// `LOAD … LOCAL INFILE`: the client sends the data, once.
        const LOCAL_INFILE = 1 << 44;
        /// Sets a `session_track_…` variable: the proxy's own choice must be put back behind it.
        const SETS_TRACKERS = 1 << 45;
        /// MariaDB's `SET STATEMENT … FOR`: variables that the answer reports as changed are put back.
        const SETS_FOR_STATEMENT = 1 << 46;
        /// The answer depends on what each server keeps for itself though the data is the same: statistics, counters,
        /// plans, time zone tables, the host that it sees the client on.
        const VARIES = 1 << 47;
        /// A comment `tideover:primary` stands in the text.
        const HINT_PRIMARY = 1 << 48;
        /// A comment `tideover:replica` stands in the text.
        const HINT_REPLICA = 1 << 49;
        /// The word LIMIT or FETCH stands in it.
        const LIMITS = 1 << 50;
    }
}

impl Effects {
    /// What keeps a statement from being `READS_ONLY`, whatever its verb.
    pub(super) const NOT_A_READ: Self = Self::WRITES
        .union(Self::LOCKING)
        .union(Self::IMPLICIT_COMMIT)
        .union(Self::BEGINS)
        .union(Self::ENDS)
        .union(Self::SETS_SESSION)
        .union(Self::SETS_GLOBAL)
        .union(Self::SETS_USER_VARIABLE)
        .union(Self::SETS_NEXT_TRANSACTION)
        .union(Self::TEMPORARY_TABLE)
        .union(Self::USER_LOCK)
        .union(Self::RELEASES_USER_LOCK)
        .union(Self::TABLE_LOCK)
        .union(Self::SQL_EXECUTE)
        .union(Self::SETS_LAST_INSERT_ID)
        .union(Self::OUTFILE)
        .union(Self::STORED_CODE)
        .union(Self::SEQUENCE)
        .union(Self::UNSURE);
}
