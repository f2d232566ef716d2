//! How far an answer has come to its client, and what of it: so that another answer to the same command can be
//! compared with it, and go on where it broke off. PURE.

use xxhash_rust::xxh64::Xxh64;

/// A place in an answer, with a digest of the rows before it.
#[derive(Clone)]
pub struct Mark {
    /// Control frames (OK, EOF) passed on.
    pub(super) controls: u32,
    /// Bytes of metadata and rows passed on.
    pub(super) opaque: usize,
    /// Bytes of rows alone.
    row_bytes: u64,
    rows: Xxh64,
}

/// What a client has already, of an answer that broke off.
#[derive(Debug)]
pub(super) struct Skip {
    pub(super) from: Mark,
    /// Number of the next packet to the client, `None` amid a frame.
    pub(super) next: Option<u8>,
}

impl Default for Mark {
    fn default() -> Self {
        Self { controls: 0, opaque: 0, row_bytes: 0, rows: Xxh64::new(0) }
    }
}

impl std::fmt::Debug for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mark")
            .field("controls", &self.controls)
            .field("opaque", &self.opaque)
            .field("row_bytes", &self.row_bytes)
            .field("rows", &self.rows.digest())
            .finish()
    }
}

impl Mark {
    /// Takes bytes in of which the first `metadata` are not rows.
    pub fn take_in(&mut self, opaque: &[u8], metadata: usize) {
        let rows = opaque.get(metadata..).unwrap_or_default();
        self.opaque += opaque.len();
        self.row_bytes += rows.len() as u64;
        self.rows.update(rows);
    }

    /// The rows so far: how many bytes, and their digest. Column definitions are left out: they differ between versions
    /// of a server.
    #[must_use]
    pub fn rows(&self) -> (u64, u64) {
        (self.row_bytes, self.rows.digest())
    }

    /// How many opaque bytes come after the place `earlier`.
    pub(super) fn opaque_after(&self, earlier: &Self) -> usize {
        self.opaque.saturating_sub(earlier.opaque)
    }

    /// Whether the places are the same.
    pub(super) fn is_at(&self, other: &Self) -> bool {
        self.opaque == other.opaque && self.controls == other.controls
    }

    /// Whether the rows before it are the same.
    pub(super) fn agrees_with(&self, other: &Self) -> bool {
        self.rows() == other.rows()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_does_not_depend_on_how_the_bytes_came() {
        let (mut whole, mut parts) = (Mark::default(), Mark::default());
        whole.take_in(b"metadata-row1-row2", 9);
        parts.take_in(b"meta", 4);
        parts.take_in(b"data-ro", 5);
        parts.take_in(b"w1-row2", 0);
        assert!(whole.is_at(&parts) && whole.agrees_with(&parts));
        assert_eq!(whole.rows().0, 9);
        parts.take_in(b"x", 0);
        assert_eq!(parts.opaque_after(&whole), 1);
        assert!(!whole.agrees_with(&parts));
    }
}
