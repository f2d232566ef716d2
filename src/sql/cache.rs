use xxhash_rust::xxh64::xxh64;

use super::{Dialect, Statement, classify};

/// Shorter texts are read again sooner than found.
const SHORTEST: usize = 192;
/// Longer ones are not kept.
const LONGEST: usize = 4096;
/// Places, a power of two: with their texts at most a megabyte.
const PLACES: usize = 256;

/// What texts were, so that one that comes again is not read again. Bounded: each text has one place, by its digest, and
/// takes it over from the text before when it comes for the second time. A text is found only if all of it is the same.
#[derive(Debug, Default)]
pub struct Cache {
    /// Empty until the first text comes.
    places: Vec<Place>,
}

#[derive(Debug, Clone, Default)]
struct Place {
    /// Of the text that came last; kept is one that came twice.
    last: u64,
    kept: Option<Box<Kept>>,
}

#[derive(Debug, Clone)]
struct Kept {
    text: Vec<u8>,
    dialect: Dialect,
    statement: Statement,
}

impl Cache {
    /// What [`classify()`] says of the text.
    pub fn classify(&mut self, text: &[u8], dialect: Dialect) -> Statement {
        if !(SHORTEST..=LONGEST).contains(&text.len()) {
            return classify(text, dialect);
        }
        if self.places.is_empty() {
            self.places.resize(PLACES, Place::default());
        }
        let digest = xxh64(text, 0);
        let at = usize::try_from(digest >> 32).unwrap_or_default() % PLACES;
        let Some(place) = self.places.get_mut(at) else { return classify(text, dialect) };
        if let Some(kept) = &place.kept
            && kept.dialect == dialect
            && kept.text == text
        {
            place.last = digest;
            return kept.statement.clone();
        }
        let statement = classify(text, dialect);
        if place.last == digest {
            let text = text.to_vec();
            place.kept = Some(Box::new(Kept { text, dialect, statement: statement.clone() }));
        }
        place.last = digest;
        statement
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_what_it_is_however_often_it_comes() {
        let mut cache = Cache::default();
        let mariadb = Dialect { mariadb: true, version: 101_119, ..Dialect::default() };
        let texts: Vec<String> = (0..2000)
            .map(|n| {
                let verb = ["SELECT", "DELETE", "SELECT 1; INSERT", "SELECT NEXTVAL(s),"][n % 4];
                format!("{verb} '{n}{}' FROM t", "x".repeat(n % 7 * 40))
            })
            .collect();
        for _ in 0..3 {
            for (n, text) in texts.iter().enumerate() {
                for dialect in [mariadb, Dialect::default()] {
                    let same = n % 3;
                    for _ in 0..=same {
                        let (got, is) =
                            (cache.classify(text.as_bytes(), dialect), classify(text.as_bytes(), dialect));
                        assert_eq!(got, is, "{text}");
                    }
                }
            }
        }
        assert_eq!(cache.places.len(), PLACES);
    }

    #[test]
    fn only_what_comes_again_is_kept() {
        let mut cache = Cache::default();
        let text = |n: u32| format!("SELECT {n:0200}");
        let kept = |cache: &Cache| cache.places.iter().filter(|place| place.kept.is_some()).count();
        for n in 0..10_000 {
            cache.classify(text(n).as_bytes(), Dialect::default());
        }
        assert_eq!(kept(&cache), 0);
        cache.classify(text(9_999).as_bytes(), Dialect::default());
        assert_eq!(kept(&cache), 1);
    }
}
