//! Which variables of a server go into the digest of what new sessions begin with, as far as that server knows them. PURE.

/// Those that somebody may set on a running server, by names that all families know.
const OF_ALL: [&str; 26] = [
    "autocommit",
    "character_set_client",
    "character_set_results",
    "character_set_server",
    "collation_connection",
    "collation_server",
    "default_storage_engine",
    "div_precision_increment",
    "foreign_key_checks",
    "group_concat_max_len",
    "innodb_lock_wait_timeout",
    "interactive_timeout",
    "join_buffer_size",
    "lc_time_names",
    "lock_wait_timeout",
    "long_query_time",
    "max_allowed_packet",
    "max_heap_table_size",
    "net_read_timeout",
    "net_write_timeout",
    "optimizer_switch",
    "sort_buffer_size",
    "sql_mode",
    "time_zone",
    "tmp_table_size",
    "wait_timeout",
];

/// What goes into the digest of one server, for as long as one connection to it lasts: the next may be to another version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wording {
    names: Vec<String>,
    /// Some names were left out already.
    narrowed: bool,
}

impl Wording {
    /// All names of a family: those that all know, and `own` ones.
    pub(super) fn new(own: &[&str]) -> Self {
        let names = OF_ALL.iter().chain(own).map(|name| (*name).to_owned()).collect();
        Self { names, narrowed: false }
    }

    /// Other names.
    pub(super) fn of(names: &[String]) -> Self {
        Self { names: names.to_vec(), narrowed: false }
    }

    /// The expression for the digest; `0`, which means that it is not known, where there is nothing to ask for.
    pub(super) fn digest(&self) -> String {
        if self.names.is_empty() {
            return "0".to_owned();
        }
        let values: Vec<String> = self.names.iter().map(|name| format!("@@global.{name}")).collect();
        format!("CRC32(CONCAT_WS('|', {}))", values.join(", "))
    }

    /// Asks which of the names a server knows that has refused the digest, by their names in the first column.
    pub(super) fn which(&self) -> String {
        let names: Vec<String> = self.names.iter().map(|name| format!("'{name}'")).collect();
        format!("SHOW GLOBAL VARIABLES WHERE Variable_name IN ({})", names.join(", "))
    }

    /// Whether the names may be the reason of a refusal, so that fewer are to be tried.
    pub(super) fn can_narrow(&self) -> bool {
        !self.names.is_empty()
    }

    /// What to try after a refusal: the names that the server says it knows. None at all if those are what it has refused, or
    /// it was asked before.
    pub(super) fn narrow(&mut self, known: &[String]) {
        let before = self.names.len();
        self.names.retain(|name| known.iter().any(|known| known.eq_ignore_ascii_case(name)));
        if self.narrowed || self.names.len() == before {
            self.names.clear();
        }
        self.narrowed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_a_server_does_not_know_is_left_out() {
        let names = owned(&["sql_mode", "of_another_version", "time_zone"]);
        // What the server knows of them, and what is asked for then.
        let cases = [
            (
                owned(&["SQL_MODE", "time_zone"]),
                "CRC32(CONCAT_WS('|', @@global.sql_mode, @@global.time_zone))",
            ),
            (owned(&[]), "0"),
            // It says that it knows them all, and refuses them.
            (names.clone(), "0"),
        ];
        for (known, digest) in cases {
            let mut wording = Wording::of(&names);
            assert!(wording.can_narrow());
            wording.narrow(&known);
            assert_eq!(wording.digest(), digest, "{known:?}");
            // Refused again: it does without.
            wording.narrow(&known);
            assert_eq!(wording.digest(), "0", "{known:?}");
            assert!(!wording.can_narrow());
        }
        let all = Wording::new(&["tx_isolation"]);
        assert_eq!(all.names.len(), OF_ALL.len() + 1);
        assert!(all.which().starts_with("SHOW GLOBAL VARIABLES WHERE Variable_name IN ('autocommit', "));
    }
}
