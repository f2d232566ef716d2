use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One `[[route]]` table: what it names must all fit.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Only for this account.
    pub user: Option<String>,
    /// Only in this default schema.
    pub schema: Option<String>,
    /// Only for texts like this: `*` stands for anything, letters in any case.
    pub pattern: Option<String>,
    /// Where reads go that nothing speaks against: to replicas, or to the primary.
    pub replica: bool,
    hits: Arc<AtomicU64>,
}

impl Rule {
    /// A rule for everybody.
    #[must_use]
    pub fn new(replica: bool) -> Self {
        Self { user: None, schema: None, pattern: None, replica, hits: Arc::default() }
    }

    /// How often it decided.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    fn fits(&self, user: &[u8], schema: &[u8], text: &[u8]) -> bool {
        self.user.as_ref().is_none_or(|wanted| wanted.as_bytes() == user)
            && self.schema.as_ref().is_none_or(|wanted| wanted.as_bytes().eq_ignore_ascii_case(schema))
            && self.pattern.as_ref().is_none_or(|pattern| is_like(text, pattern.as_bytes()))
    }
}

/// The rules in their order: the first that fits decides.
#[derive(Debug, Clone, Default)]
pub struct Rules(pub Vec<Rule>);

impl Rules {
    /// Whether a rule keeps this read on the primary (`Some(false)`) or sends it to replicas (`Some(true)`). `first`: it is
    /// counted, since nobody has asked for this statement before.
    #[must_use]
    pub fn decide(&self, (user, schema): (&[u8], &[u8]), text: &[u8], first: bool) -> Option<bool> {
        let rule = self.0.iter().find(|rule| rule.fits(user, schema, text))?;
        rule.hits.fetch_add(u64::from(first), Ordering::Relaxed);
        Some(rule.replica)
    }
}

/// Whether a text is like a pattern, in which `*` stands for any bytes. Takes time of their product at worst.
fn is_like(text: &[u8], pattern: &[u8]) -> bool {
    let (mut at, mut in_pattern) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(at) {
        match pattern.get(in_pattern) {
            Some(b'*') => {
                in_pattern += 1;
                back = Some((at, in_pattern));
            }
            Some(wanted) if wanted.eq_ignore_ascii_case(byte) => {
                at += 1;
                in_pattern += 1;
            }
            _ => match &mut back {
                Some((from, again)) => {
                    *from += 1;
                    (at, in_pattern) = (*from, *again);
                }
                None => return false,
            },
        }
    }
    pattern.get(in_pattern..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let rows = [
            ("", "", true),
            ("", "*", true),
            ("abc", "abc", true),
            ("ABC", "abc", true),
            ("abc", "ab", false),
            ("abc", "a*c", true),
            ("abbbc", "a*bc", true),
            ("abcabd", "*abd", true),
            ("abc", "*x*", false),
            ("select * from t", "select*from t", true),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "*a*a*a*a*a*a*b", false),
        ];
        for (text, pattern, like) in rows {
            assert_eq!(is_like(text.as_bytes(), pattern.as_bytes()), like, "{text} like {pattern}");
        }
    }

    #[test]
    fn the_first_that_fits_decides() {
        let report = Rule { user: Some("report".to_owned()), ..Rule::new(true) };
        let shop =
            Rule { schema: Some("shop".to_owned()), pattern: Some("*stock*".to_owned()), ..Rule::new(false) };
        let rules = Rules(vec![report, shop]);
        assert_eq!(rules.decide((b"report", b"shop"), b"SELECT * FROM stock", true), Some(true));
        assert_eq!(rules.decide((b"app", b"Shop"), b"SELECT * FROM Stock", true), Some(false));
        assert_eq!(rules.decide((b"app", b"shop"), b"SELECT * FROM t", true), None);
        assert_eq!(rules.0.iter().map(Rule::hits).collect::<Vec<_>>(), [1, 1]);
    }
}
