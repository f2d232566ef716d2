const INLINE: usize = 4;

/// The byte offsets at which a comment may be put in so that the binary log keeps it with each write.
///
/// Up to four are kept without allocation, which is nearly always enough: there is one per write statement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tags {
    inline: [u32; INLINE],
    len: u8,
    rest: Vec<u32>,
    missing: bool,
}

impl Tags {
    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len as usize + self.rest.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether the tags tell of every write that the text may do. False for `CALL`, unknown functions (also in a
    /// write that has its tag) and for definitions of which the servers log their own wording (`DROP TABLE`,
    /// `CREATE VIEW`, accounts).
    #[must_use]
    pub const fn cover_all_writes(&self) -> bool {
        !self.missing
    }

    /// The offsets, ascending.
    pub fn offsets(&self) -> impl Iterator<Item = usize> + '_ {
        self.inline.iter().take(self.len as usize).chain(&self.rest).map(|at| *at as usize)
    }

    /// Appends `text` to `out` with `comment` (a whole comment, `/*td:…*/`) at every offset.
    pub fn write(&self, text: &[u8], comment: &[u8], out: &mut Vec<u8>) {
        out.reserve(text.len() + comment.len() * self.len());
        let mut from = 0;
        for at in self.offsets() {
            out.extend_from_slice(text.get(from..at).unwrap_or_default());
            out.extend_from_slice(comment);
            from = at;
        }
        out.extend_from_slice(text.get(from..).unwrap_or_default());
    }

    pub(super) fn push(&mut self, at: usize) {
        let Ok(at) = u32::try_from(at) else {
            self.missing = true;
            return;
        };
        match self.inline.get_mut(self.len as usize) {
            Some(slot) => {
                *slot = at;
                self.len += 1;
            }
            None => self.rest.push(at),
        }
    }

    pub(super) const fn miss(&mut self) {
        self.missing = true;
    }

    pub(super) fn clear(&mut self) {
        *self = Self { missing: true, ..Self::default() };
    }
}
