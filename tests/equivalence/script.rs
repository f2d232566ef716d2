//! Scripts: what one session does, line by line.
//!
//! `## title [words]` begins one. Words: `mariadb`, `mysql`: only there; `not11`: not on
//! MariaDB 11; `text`: not prepared, not with cursors; `old`: the
//! capabilities of an old client too. `#` begins a comment, `~ ` a statement whose answer differs by nature: only its form is
//! compared. `!` begins a command of the protocol, see [`Step`].

use tideover_sandbox::servers::Flavor;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A statement; the flag: only the form of its answer is compared.
    Statement(String, bool),
    /// `!prepare name text`
    Prepare(String, String),
    /// `!execute name [cursor] values…`: `i:5`, `s:text`, `n` for NULL, `l` for what was sent ahead.
    Execute { name: String, cursor: bool, values: Vec<String> },
    /// `!again name`: an execution without types, which the server knows.
    Again(String, Vec<String>),
    /// `!fetch name rows`
    Fetch(String, u32),
    /// `!long name parameter text`
    Long(String, u16, String),
    /// `!reset name`
    Reset(String),
    /// `!close name`
    Close(String),
    /// `!init_db name`, `!field_list table wildcard`
    Named(u8, String),
    /// `!reset_connection`, `!ping`, `!multi on`, `!multi off`, `!debug`: the command's bytes.
    Plain(Vec<u8>),
    /// `!statistics`: a command of whose answer the form alone is compared.
    Form(Vec<u8>),
    /// `!raw 1b 02 'text' 00`: a command's bytes, well formed or not. That the connection is closed is an answer too.
    Raw(Vec<u8>),
    /// `!change_user schema`, `!change_user schema 8`: with this collation.
    ChangeUser(String, String),
    /// `!pins a b`: what the proxy says of the session at this point, and nothing else.
    Pins(Vec<String>),
}

/// What one session does.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) title: String,
    pub(crate) words: Vec<String>,
    pub(crate) steps: Vec<Step>,
}

impl Script {
    pub(crate) fn has(&self, word: &str) -> bool {
        self.words.iter().any(|w| w == word)
    }

    pub(crate) fn runs_on(&self, flavor: Flavor) -> bool {
        let not = if flavor.is_mariadb() { "mysql" } else { "mariadb" };
        !self.has(not) && (flavor != Flavor::MariaDb118 || !self.has("not11"))
    }

    /// Whether a short test sends it in the way with this number, 0 to 4: what is of one of these files, in two.
    pub(crate) fn is_for(&self, way: usize, files: &[&str]) -> bool {
        let (file, rest) = self.title.split_once(':').unwrap_or((&self.title, ""));
        let line: usize = rest.split(' ').next().and_then(|line| line.parse().ok()).unwrap_or_default();
        !files.contains(&file) || way == 0 || way == 1 + line % 4
    }

    /// Whether a generator made it.
    pub(crate) fn is_generated(&self) -> bool {
        self.title.starts_with("generated")
    }

    /// Whether it holds nothing but statements, so that it can be run by other protocols.
    pub(crate) fn is_plain(&self) -> bool {
        !self.has("text") && self.steps.iter().all(|s| matches!(s, Step::Statement(..) | Step::Pins(_)))
    }
}

/// All scripts of a file.
/// `salt`: part of the names of user variables.
pub(crate) fn parse(file: &str, text: &str, salt: usize) -> Vec<Script> {
    let mut scripts: Vec<Script> = Vec::new();
    let mut began = 0;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_end();
        if let Some(title) = line.strip_prefix("## ") {
            began = number + 1;
            let (title, words) = title.split_once('[').unwrap_or((title, ""));
            scripts.push(Script {
                title: format!("{file}:{} {}", number + 1, title.trim()),
                words: words.trim_end_matches(']').split_whitespace().map(str::to_owned).collect(),
                steps: Vec::new(),
            });
        } else if !line.is_empty() && !line.starts_with('#') {
            let script =
                scripts.last_mut().unwrap_or_else(|| panic!("{file}: no script before line {number}"));
            script.steps.push(step(&own_variables(line, began * 10 + salt)));
        }
    }
    scripts
}

/// Gives the user variables of a script names of their own: what columns say of a variable that was never set differs from
/// what they say of one that was, in whichever session, and is NULL.
fn own_variables(line: &str, script: usize) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find('@') {
        let (head, tail) = rest.split_at(at);
        let name =
            tail.trim_start_matches('@').split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next();
        let length = name.map_or(0, str::len);
        let signs = tail.len() - tail.trim_start_matches('@').len();
        out += head;
        out += &tail[..signs + length];
        if signs == 1 && length > 0 && !head.ends_with(['\'', '`', '/']) {
            out += &format!("_{script}");
        }
        rest = &tail[signs + length..];
    }
    out + rest
}

fn step(line: &str) -> Step {
    if let Some(text) = line.strip_prefix("~ ") {
        return Step::Statement(text.to_owned(), true);
    }
    let Some(command) = line.strip_prefix('!') else { return Step::Statement(line.to_owned(), false) };
    let (what, rest) = command.split_once(' ').unwrap_or((command, ""));
    let (name, more) = rest.split_once(' ').unwrap_or((rest, ""));
    let values = || more.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    match what {
        "prepare" => Step::Prepare(name.into(), more.into()),
        "execute" => {
            let mut values = values();
            let cursor = values.first().is_some_and(|v| v == "cursor");
            if cursor {
                values.remove(0);
            }
            Step::Execute { name: name.into(), cursor, values }
        }
        "again" => Step::Again(name.into(), values()),
        "fetch" => Step::Fetch(name.into(), more.parse().expect("a number")),
        "long" => {
            let (number, text) = more.split_once(' ').expect("a parameter and a text");
            Step::Long(name.into(), number.parse().expect("a number"), text.into())
        }
        "reset" => Step::Reset(name.into()),
        "close" => Step::Close(name.into()),
        "init_db" => Step::Named(2, name.into()),
        "field_list" => Step::Named(4, format!("{name}\0{more}")),
        "reset_connection" => Step::Plain(vec![0x1f]),
        "ping" => Step::Plain(vec![0x0e]),
        "multi" => Step::Plain(vec![0x1b, u8::from(name == "off"), 0]),
        "statistics" => Step::Form(vec![0x09]),
        "debug" => Step::Plain(vec![0x0d]),
        "process_info" => Step::Form(vec![0x0a]),
        "raw" => Step::Raw(rest.split_whitespace().flat_map(bytes).collect()),
        "change_user" => Step::ChangeUser(name.into(), more.into()),
        "pins" => Step::Pins(rest.split_whitespace().map(str::to_owned).collect()),
        other => panic!("no such command: {other}"),
    }
}

/// A byte as two digits, or a text between quotes, without spaces.
fn bytes(word: &str) -> Vec<u8> {
    match word.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        Some(text) => text.as_bytes().to_vec(),
        None => vec![u8::from_str_radix(word, 16).expect("a byte as two digits")],
    }
}
