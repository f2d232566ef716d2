use super::Config;
use super::section::Applies;

/// A key whose value differs between two configurations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The key, with its table.
    pub key: String,
    /// Whether the new value takes effect only with the next start.
    pub needs_restart: bool,
}

/// What differs between the configuration that runs and a new one, by key. Never the values: some are secrets.
#[must_use]
pub fn diff(old: &Config, new: &Config) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (key, entry) in &new.entries {
        // A key of a user who is new counts if it was given.
        let changed = match old.entries.get(key) {
            Some(before) => before.fingerprint != entry.fingerprint,
            None => entry.place.is_some(),
        };
        if changed {
            differences
                .push(Difference { key: key.clone(), needs_restart: entry.applies == Applies::AtStart });
        }
    }
    // Users that are gone.
    for (key, entry) in &old.entries {
        if !new.entries.contains_key(key) && entry.place.is_some() {
            differences
                .push(Difference { key: key.clone(), needs_restart: entry.applies == Applies::AtStart });
        }
    }
    differences.sort_by(|a, b| a.key.cmp(&b.key));
    differences
}
