use std::io::{self, IsTerminal, Write};

use super::style::Line;

/// Standard output, as a screen that is drawn again and again or as plain lines. What cannot be written is dropped: the
/// demo goes on when nobody looks any more.
#[derive(Debug)]
pub(super) struct Screen {
    live: bool,
}

impl Screen {
    /// A live screen if standard output is a terminal and nobody asked for plain lines.
    pub(super) fn new(plain: bool) -> Self {
        Self { live: !plain && io::stdout().is_terminal() }
    }

    pub(super) const fn is_live(&self) -> bool {
        self.live
    }

    /// Takes the whole terminal; [`Self::leave`] and drop give it back.
    pub(super) fn enter(&self) {
        if self.live {
            write("\x1b[?1049h\x1b[?25l\x1b[2J");
        }
    }

    /// Gives the terminal back as it was.
    pub(super) fn leave(&mut self) {
        if self.live {
            write("\x1b[?25h\x1b[?1049l");
            self.live = false;
        }
    }

    /// Draws all lines from the top, cut to the terminal's size.
    pub(super) fn draw(&self, lines: &[Line]) {
        let (width, height) = size();
        // One write, so that nothing flickers; each line clears what was behind it.
        let mut out = String::from("\x1b[H");
        for line in lines.iter().take(height.saturating_sub(1)) {
            out.push_str(&line.drawn(width));
            out.push_str("\x1b[K\r\n");
        }
        out.push_str("\x1b[J");
        write(&out);
    }

    /// Writes a line below the others. Not while the live screen is shown.
    pub(super) fn line(&self, line: &Line) {
        let text = if io::stdout().is_terminal() { line.drawn(usize::MAX) } else { line.text() };
        write(&format!("{text}\n"));
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.leave();
    }
}

fn write(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Columns and rows; 80 by 24 where nobody knows.
fn size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => (80, 24),
    }
}
