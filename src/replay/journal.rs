//! What the open transaction did so far: the client's own commands, in order, up to a bound. PURE.

use std::sync::Arc;

/// The journal of one transaction.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    commands: Vec<Arc<[u8]>>,
    bytes: usize,
    limit: usize,
    overflowed: bool,
}

impl Journal {
    /// An empty journal of at most `limit` bytes of commands (`replay.max_transaction`); 0 keeps nothing.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Records a command (payload, as the client sent it). Beyond the bound nothing more is kept and the transaction is
    /// only marked.
    pub fn record(&mut self, command: &[u8]) {
        if self.overflowed {
            return;
        }
        if self.bytes + command.len() > self.limit {
            self.overflowed = true;
            self.commands = Vec::new();
            self.bytes = 0;
            return;
        }
        self.bytes += command.len();
        self.commands.push(command.into());
    }

    /// The commands, unless there were too many bytes of them.
    #[must_use]
    pub fn commands(&self) -> Option<&[Arc<[u8]>]> {
        (!self.overflowed).then_some(self.commands.as_slice())
    }

    /// Bytes kept.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_bound_it_only_marks() {
        let mut journal = Journal::new(10);
        journal.record(b"12345");
        journal.record(b"1234");
        assert_eq!(journal.commands().map(<[_]>::len), Some(2));
        journal.record(b"12");
        assert_eq!((journal.commands(), journal.bytes()), (None, 0));
        journal.record(b"1");
        assert!(journal.commands().is_none());
    }
}
