//! One table of all words that mean something, filled in by the compiler.

use super::builtins::{ADJACENT, PURE, PURE_MARIADB, PURE_MYSQL, SPECIAL};
use super::bytes::eight;
use super::key::{KEYS, Key};
use super::{Dialect, Effects};

/// What is known of a word.
#[derive(Clone, Copy)]
pub(super) struct Word {
    name: &'static str,
    spelling: Spelling,
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
        spelling: Spelling { head: 0, tail: 0, len: 0 },
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

    /// Whether it says something by standing there, a parenthesis behind it or not.
    const fn is_noted(&self) -> bool {
        self.bare
            || matches!(
                self.key,
                Key::Update | Key::Share | Key::Dumpfile | Key::For | Key::Nextval | Key::Lastval
            )
    }
}

/// Number of a word in the table, and whether the word alone is to be looked at; 0 stands for all unknown words.
pub(super) type WordId = u16;

const NOTED: WordId = 0x8000;

/// Whether a word is more than a name in front of a parenthesis, or a part of the grammar.
pub(super) const fn is_noted(id: WordId) -> bool {
    id & NOTED != 0
}

/// Whether a word of `len` bytes with this first byte may be one that [`is_noted`]. Told without a look at the others,
/// and for most words of a statement it is no.
#[inline(always)]
pub(super) fn may_be_noted(first: u8, len: usize) -> bool {
    let initial = first as usize % INITIALS;
    TABLE.noted.get(initial).is_some_and(|lengths| lengths >> (len % 32) & 1 == 1)
}

/// Letters differ in their lowest five bits, small and large ones do not.
const INITIALS: usize = 32;

/// What is known of the word with this number.
#[inline]
pub(super) fn word(id: WordId) -> &'static Word {
    TABLE.words.get(id as usize % CAPACITY).unwrap_or(&Word::NONE)
}

/// The longest word in the table, bytes.
const LONGEST: usize = 32;

/// A word as it is looked up: its first eight bytes and, if it has more, its last eight, letters in lower case. All that
/// a word of up to 16 bytes has is in it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Spelling {
    head: u64,
    tail: u64,
    len: u32,
}

/// What turns letters into small ones. It leaves digits and `$` as they are and makes of `_` what is in no word.
const SMALL: u64 = 0x2020_2020_2020_2020;

impl Spelling {
    /// Of a word of 2 to 8 bytes: `eight` begins with it, what is behind it does not matter.
    const fn short(eight: u64, len: usize) -> Self {
        let head = (eight | SMALL) & (u64::MAX >> (64 - 8 * len as u32));
        Self { head, tail: 0, len: len as u32 }
    }

    /// Of a word of more than 8 bytes: its first and its last eight.
    const fn long(head: u64, tail: u64, len: usize) -> Self {
        Self { head: head | SMALL, tail: tail | SMALL, len: len as u32 }
    }

    /// Of any word of 2 to 32 bytes.
    #[allow(clippy::indexing_slicing, reason = "callers give 2 to 32 bytes; each index is below the length")]
    const fn of(text: &[u8]) -> Self {
        let len = text.len();
        if len > 8 {
            return Self::long(load(text, 0, 8), load(text, len - 8, 8), len);
        }
        Self::short(load(text, 0, len), len)
    }

    const fn slot(self) -> usize {
        let mixed = self.head ^ self.tail.rotate_left(29);
        (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52) as usize % SLOTS
    }
}

/// `count` bytes from `at`, the first lowest.
#[allow(clippy::indexing_slicing, reason = "see Spelling::of")]
const fn load(text: &[u8], at: usize, count: usize) -> u64 {
    let (mut sum, mut i) = (0, count);
    while i > 0 {
        i -= 1;
        sum = (sum << 8) | text[at + i] as u64;
    }
    sum
}

/// Finds a word, in any case.
pub(super) fn find(text: &[u8]) -> WordId {
    let (Some(head), Some(tail)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) else {
        return if text.len() > 1 { look_up_short(eight(text, 0), text.len()) } else { 0 };
    };
    let spelling = match text.len() {
        8 => Spelling::short(u64::from_le_bytes(*head), 8),
        len @ 9..=LONGEST => Spelling::long(u64::from_le_bytes(*head), u64::from_le_bytes(*tail), len),
        _ => return 0,
    };
    look_up(spelling, |known| {
        known.spelling == spelling && (text.len() <= 16 || known.name.as_bytes().eq_ignore_ascii_case(text))
    })
}

/// Finds the word of `len` bytes, 2 to 8, that `eight` begins with.
#[inline]
pub(super) fn look_up_short(eight: u64, len: usize) -> WordId {
    let spelling = Spelling::short(eight, len);
    // No byte of a word is zero: the length is in the head.
    look_up(spelling, |known| known.spelling.head == spelling.head && known.spelling.tail == 0)
}

#[inline]
fn look_up(spelling: Spelling, is_it: impl Fn(&Word) -> bool) -> WordId {
    let mut slot = spelling.slot();
    loop {
        let id = TABLE.slots.get(slot).copied().unwrap_or(0);
        if id == 0 || is_it(word(id)) {
            return id;
        }
        slot = (slot + 1) % SLOTS;
    }
}

/// What classification looks for in the word with this number.
#[inline]
pub(super) fn key(id: WordId) -> Key {
    word(id).key
}

const SLOTS: usize = 4096;
const CAPACITY: usize = 1024;

struct Table {
    words: [Word; CAPACITY],
    slots: [WordId; SLOTS],
    /// For each initial a bit for each length, modulo 32, of a noted word.
    noted: [u32; INITIALS],
}

static TABLE: Table = build();

const fn build() -> Table {
    let mut builder = Builder {
        table: Table { words: [Word::NONE; CAPACITY], slots: [0; SLOTS], noted: [0; INITIALS] },
        len: 1,
    };
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
    builder.mark_noted();
    builder.table
}

struct Builder {
    table: Table,
    len: usize,
}

impl Builder {
    const fn add(&mut self, name: &'static str) -> usize {
        let text = name.as_bytes();
        assert!(text.len() >= 2 && text.len() <= LONGEST && self.len < CAPACITY);
        let spelling = Spelling::of(text);
        let mut slot = spelling.slot();
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
        self.table.words[id].spelling = spelling;
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

    const fn mark_noted(&mut self) {
        let mut slot = 0;
        while slot < SLOTS {
            let id = self.table.slots[slot];
            if id != 0 && self.table.words[id as usize].is_noted() {
                self.table.slots[slot] |= NOTED;
                let name = self.table.words[id as usize].name.as_bytes();
                self.table.noted[name[0] as usize % INITIALS] |= 1 << (name.len() % 32);
            }
            slot += 1;
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
