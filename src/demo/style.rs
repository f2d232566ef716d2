/// How a piece of text looks on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Bold,
    Dim,
    Good,
    Bad,
    Busy,
}

impl Style {
    /// The escape sequence that begins it; [`RESET`] ends it.
    pub(super) const fn begin(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "\x1b[1m",
            Self::Dim => "\x1b[2m",
            Self::Good => "\x1b[32;1m",
            Self::Bad => "\x1b[31;1m",
            Self::Busy => "\x1b[33;1m",
        }
    }
}

/// Ends every style.
pub(super) const RESET: &str = "\x1b[0m";

/// A line of text in pieces of one style each.
#[derive(Debug, Clone, Default)]
pub(super) struct Line(Vec<(Style, String)>);

impl Line {
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self(vec![(Style::Plain, text.into())])
    }

    pub(super) fn styled(style: Style, text: impl Into<String>) -> Self {
        Self(vec![(style, text.into())])
    }

    #[must_use]
    pub(super) fn and(mut self, style: Style, text: impl Into<String>) -> Self {
        self.0.push((style, text.into()));
        self
    }

    /// Without styles, for files and tests.
    pub(super) fn text(&self) -> String {
        self.0.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// With styles, cut to `width` columns.
    pub(super) fn drawn(&self, width: usize) -> String {
        let mut left = width;
        let mut out = String::new();
        for (style, text) in &self.0 {
            let cut: String = text.chars().take(left).collect();
            left -= cut.chars().count();
            out.push_str(style.begin());
            out.push_str(&cut);
            if !style.begin().is_empty() {
                out.push_str(RESET);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_by_what_is_seen_of_it() {
        let line = Line::styled(Style::Good, "abc").and(Style::Plain, "défgh");
        assert_eq!(line.drawn(5), "\x1b[32;1mabc\x1b[0mdé");
        assert_eq!(line.text(), "abcdéfgh");
    }
}
