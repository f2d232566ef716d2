//! One table of all words that mean something, filled in by the compiler.

use super::builtins::{ADJACENT, PURE, PURE_MARIADB, PURE_MYSQL, SPECIAL};
use super::key::{KEYS, Key};
use super::{Dialect, Effects};

/// What is known of a word.
#[derive(Clone, Copy)]
pub(super) struct Word {
    name: &'static str,
    /// What classification looks for, or `Key::None`.
    pub(super) key: Key,
    callable: Callable,
    /// What calling it means, if it is callable.
    pub(super) effects: Effects,
    /// The word alone means the same.
    pub(super) bare: bool,
    /// Built in only with the parenthesis right behind it.
    pub(super) adjacent: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Callable {
    No,
    Yes,
    MariaDb,
    MySql,
}

impl Word {
    const NONE: Self = Self {
        name: "",
        key: Key::None,
        callable: Callable::No,
        effects: Effects::empty(),
        bare: false,
        adjacent: false,
    };

    /// Whether a parenthesis behind the word makes it something other than somebody's stored function.
    pub(super) fn is_callable(&self, dialect: Dialect) -> bool {
        match self.callable {
            Callable::No => false,
            Callable::Yes => true,
            Callable::MariaDb => dialect.mariadb,
            Callable::MySql => !dialect.mariadb,
        }
    }
}

/// Number of a word in the table; 0 stands for all unknown words.
pub(super) type WordId = u16;

/// What is known of the word with this number.
pub(super) fn word(id: WordId) -> &'static Word {
    TABLE.words.get(id as usize).unwrap_or(&Word::NONE)
}

/// Finds a word, in any case.
pub(super) fn find(text: &[u8]) -> WordId {
    if text.len() < 2 || text.len() > LONGEST {
        return 0;
    }
    let mut slot = slot_of(text);
    loop {
        let id = TABLE.slots.get(slot).copied().unwrap_or(0);
        if id == 0 {
            return 0;
        }
        if word(id).name.as_bytes().eq_ignore_ascii_case(text) {
            return id;
        }
        slot = (slot + 1) % SLOTS;
    }
}

const SLOTS: usize = 4096;
const CAPACITY: usize = 1024;
const LONGEST: usize = 32;

struct Table {
    words: [Word; CAPACITY],
    slots: [WordId; SLOTS],
}

static TABLE: Table = build();

/// Mixes length, head and tail of a word, blind to case. Runs at compile time and at run time alike.
#[allow(clippy::indexing_slicing, reason = "callers give 2 to 32 bytes; each index is below the length")]
const fn slot_of(text: &[u8]) -> usize {
    let len = text.len();
    let (head, tail) = if len >= 8 {
        (eight(text, 0), eight(text, len - 8))
    } else if len >= 4 {
        (four(text, 0), four(text, len - 4))
    } else {
        (text[0] as u64, ((text[len / 2] as u64) << 8) | text[len - 1] as u64)
    };
    let folded = (head | 0x2020_2020_2020_2020).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
        ^ (tail | 0x2020_2020_2020_2020).wrapping_mul(0xc2b2_ae3d_27d4_eb4f)
        ^ len as u64;
    (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as usize % SLOTS
}

#[allow(clippy::indexing_slicing, reason = "see slot_of")]
const fn eight(text: &[u8], at: usize) -> u64 {
    u64::from_le_bytes([
        text[at],
        text[at + 1],
        text[at + 2],
        text[at + 3],
        text[at + 4],
        text[at + 5],
        text[at + 6],
        text[at + 7],
    ])
}

#[allow(clippy::indexing_slicing, reason = "see slot_of")]
const fn four(text: &[u8], at: usize) -> u64 {
    u32::from_le_bytes([text[at], text[at + 1], text[at + 2], text[at + 3]]) as u64
}

const fn build() -> Table {
    let mut builder = Builder { table: Table { words: [Word::NONE; CAPACITY], slots: [0; SLOTS] }, len: 1 };
    let mut i = 0;
    while i < KEYS.len() {
        let id = builder.add(KEYS[i].0);
        builder.table.words[id].key = KEYS[i].1;
        i += 1;
    }
    builder.add_all(PURE, Callable::Yes);
    builder.add_all(PURE_MARIADB, Callable::MariaDb);
    builder.add_all(PURE_MYSQL, Callable::MySql);
    i = 0;
    while i < SPECIAL.len() {
        let id = builder.add(SPECIAL[i].name);
        let word = &mut builder.table.words[id];
        // One that a list above has for one server alone is somebody's stored function on the other.
        if matches!(word.callable, Callable::No) {
            word.callable = Callable::Yes;
        }
        word.effects = SPECIAL[i].effects;
        word.bare = SPECIAL[i].bare;
        i += 1;
    }
    builder.mark_adjacent();
    builder.table
}

struct Builder {
    table: Table,
    len: usize,
}

impl Builder {
    const fn add(&mut self, name: &'static str) -> usize {
        let text = name.as_bytes();
        assert!(text.len() >= 2 && text.len() <= LONGEST);
        let mut slot = slot_of(text);
        loop {
            let id = self.table.slots[slot] as usize;
            if id == 0 {
                break;
            }
            if same(self.table.words[id].name.as_bytes(), text) {
                return id;
            }
            slot = (slot + 1) % SLOTS;
        }
        let id = self.len;
        self.table.slots[slot] = id as WordId;
        self.table.words[id].name = name;
        self.len += 1;
        id
    }

    const fn add_all(&mut self, list: &'static str, callable: Callable) {
        let mut rest = list;
        while let Some((name, tail)) = split_word(rest) {
            rest = tail;
            if name.len() < 2 {
                continue;
            }
            let id = self.add(name);
            let word = &mut self.table.words[id];
            word.callable = match (word.callable, callable) {
                (Callable::No, new) => new,
                (Callable::MariaDb, Callable::MariaDb) => Callable::MariaDb,
                (Callable::MySql, Callable::MySql) => Callable::MySql,
                _ => Callable::Yes,
            };
        }
    }

    const fn mark_adjacent(&mut self) {
        let mut rest = ADJACENT;
        while let Some((name, tail)) = split_word(rest) {
            rest = tail;
            let id = self.add(name);
            self.table.words[id].adjacent = true;
        }
    }
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// The first blank-separated word and what follows it.
const fn split_word(list: &'static str) -> Option<(&'static str, &'static str)> {
    let bytes = list.as_bytes();
    let mut start = 0;
    while start < bytes.len() && (bytes[start] == b' ' || bytes[start] == b'\n') {
        start += 1;
    }
    if start == bytes.len() {
        return None;
    }
    let mut end = start;
    while end < bytes.len() && bytes[end] != b' ' && bytes[end] != b'\n' {
        end += 1;
    }
    let (head, tail) = list.split_at(end);
    Some((head.split_at(start).1, tail))
}
