//! What a stored procedure does to transactions, from its body: whether running it between BEGIN and COMMIT comes to the same
//! as running it by itself. Whatever is not plainly harmless is refused, with the reason. PURE.

use super::Dialect;
use super::lexer::Lexer;
use super::token::{Token, TokenKind};

/// A table or a procedure, as its name stands in a body; without a schema it is in the procedure's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name {
    /// The schema, if it is named.
    pub schema: Option<String>,
    /// The name.
    pub name: String,
}

/// What a harmless body refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Program {
    /// Procedures that it calls: they must be harmless too.
    pub calls: Vec<Name>,
    /// Tables that it writes to: they must be transactional.
    pub writes: Vec<Name>,
}

/// Words that begin or end transactions or commit implicitly, or run what is not in the text.
const MAY_END: [&str; 36] = [
    "commit",
    "rollback",
    "start",
    "xa",
    "lock",
    "unlock",
    "alter",
    "create",
    "drop",
    "rename",
    "truncate",
    "analyze",
    "optimize",
    "repair",
    "check",
    "checksum",
    "grant",
    "revoke",
    "flush",
    "reset",
    "prepare",
    "execute",
    "immediate",
    "load",
    "install",
    "uninstall",
    "kill",
    "change",
    "stop",
    "cache",
    "purge",
    "shutdown",
    "import",
    "clone",
    "outfile",
    "dumpfile",
];
/// With these a transaction may end where they are variables or options; a body that sets variables or ends transactions is
/// refused by itself.
const MAY_END_AS_SETTINGS: [&str; 4] = ["work", "autocommit", "completion_type", "password"];
/// Words that wait for others, serve to keep others out until the end of the procedure, or do what a rollback does not undo.
const NOT_UNDONE: [&str; 8] = [
    "savepoint",
    "release",
    "sleep",
    "get_lock",
    "release_lock",
    "release_all_locks",
    "is_free_lock",
    "is_used_lock",
];

/// Whether a body with this word must not be put between BEGIN and COMMIT.
fn is_refused(word: &str) -> bool {
    MAY_END.contains(&word) || NOT_UNDONE.contains(&word)
}

/// Reads a body; `parameters` are the procedure's own, in any case.
///
/// # Errors
/// Why it must not be put between BEGIN and COMMIT.
pub fn program(body: &[u8], parameters: &[String], dialect: Dialect) -> Result<Program, String> {
    if memchr::memmem::find(body, b"/*!").is_some() || memchr::memmem::find(body, b"/*M!").is_some() {
        return Err("its body has comments that the server executes".to_owned());
    }
    let mut reader = Reader {
        lexer: Lexer::new(body, dialect),
        variables: parameters.iter().map(|name| name.to_lowercase()).collect(),
        program: Program::default(),
    };
    reader.read()?;
    if reader.lexer.trouble {
        return Err("its body was not understood".to_owned());
    }
    Ok(reader.program)
}

/// The procedures that a body calls; `None` if it may end a transaction itself, or was not understood.
#[must_use]
pub fn keeps_open(body: &[u8], dialect: Dialect) -> Option<Vec<Name>> {
    if memchr::memmem::find(body, b"/*!").is_some() || memchr::memmem::find(body, b"/*M!").is_some() {
        return None;
    }
    let mut reader =
        Reader { lexer: Lexer::new(body, dialect), variables: Vec::new(), program: Program::default() };
    let mut calls = Vec::new();
    loop {
        let token = reader.lexer.token();
        match (token.kind, reader.word(token).as_str()) {
            (TokenKind::End, _) => return (!reader.lexer.trouble).then_some(calls),
            // Another name for a variable that ends one, perhaps.
            (TokenKind::SystemVariable, _) => return None,
            (_, word) if MAY_END.contains(&word) || MAY_END_AS_SETTINGS.contains(&word) => return None,
            (_, "call") => calls.push(reader.name().ok()?),
            _ => {}
        }
    }
}

/// The procedure that `CALL [schema.]name …` names; `None` if the text is not of that plain form.
#[must_use]
pub fn callee(text: &[u8], dialect: Dialect) -> Option<Name> {
    let mut reader =
        Reader { lexer: Lexer::new(text, dialect), variables: Vec::new(), program: Program::default() };
    let call = reader.next_word() == "call";
    let name = reader.name().ok().filter(|_| call)?;
    (!reader.lexer.trouble).then_some(name)
}

struct Reader<'a> {
    lexer: Lexer<'a>,
    /// What SET may set: parameters and declared variables.
    variables: Vec<String>,
    program: Program,
}

impl Reader<'_> {
    fn read(&mut self) -> Result<(), String> {
        // Whether a statement may begin with the next token; and the word before.
        let (mut begins, mut before) = (true, String::new());
        loop {
            let token = self.lexer.token();
            if token.kind == TokenKind::End {
                return Ok(());
            }
            if token.kind == TokenKind::SystemVariable && begins {
                return Err("it sets a system variable".to_owned());
            }
            let word = self.word(token);
            if is_refused(&word) {
                return Err(format!("its body has the word {}", word.to_uppercase()));
            }
            let opens = matches!(word.as_str(), "begin" | "then" | "else" | "do" | "loop" | "repeat");
            begins = match word.as_str() {
                "declare" => self.declare()?,
                "set" if begins => {
                    self.set()?;
                    true
                }
                "call" if begins => {
                    let name = self.name()?;
                    self.program.calls.push(name);
                    false
                }
                "insert" | "replace" if begins => self.inserts()?,
                "update" if begins => self.updates()?,
                "delete" if begins => self.deletes()?,
                "handler" | "with" if begins => return Err(format!("it begins a statement with {word}")),
                "work" if before == "begin" => return Err("it begins a transaction".to_owned()),
                _ => opens || token.kind == TokenKind::Semicolon,
            };
            before = word;
        }
    }

    /// In lower case; empty for anything else than a word without quotes.
    fn word(&self, token: Token) -> String {
        match token.kind {
            TokenKind::Word => String::from_utf8_lossy(self.lexer.bytes(token)).to_lowercase(),
            _ => String::new(),
        }
    }

    fn next_word(&mut self) -> String {
        let token = self.lexer.token();
        self.word(token)
    }

    fn peek(&self) -> Token {
        self.lexer.clone().token()
    }

    /// A plain or quoted identifier.
    fn identifier(&mut self) -> Result<String, String> {
        let token = self.lexer.token();
        let text = String::from_utf8_lossy(self.lexer.bytes(token)).into_owned();
        let inside = text.strip_prefix('`').and_then(|t| t.strip_suffix('`'));
        match (token.kind, inside) {
            (TokenKind::Word, _) => Ok(text),
            (TokenKind::Quoted, Some(inside)) if !inside.contains('`') => Ok(inside.to_owned()),
            _ => Err("a name in its body was not understood".to_owned()),
        }
    }

    fn name(&mut self) -> Result<Name, String> {
        let first = self.identifier()?;
        if self.peek().kind != TokenKind::Dot {
            return Ok(Name { schema: None, name: first });
        }
        self.lexer.token();
        let name = self.identifier()?;
        if self.peek().kind == TokenKind::Dot {
            return Err("a name in its body was not understood".to_owned());
        }
        Ok(Name { schema: Some(first), name })
    }

    /// `DECLARE a, b INT …`, or a handler: of those, only ones for the end of a cursor leave errors as they are. Says whether a
    /// statement begins behind it.
    fn declare(&mut self) -> Result<bool, String> {
        let first = self.next_word();
        if matches!(first.as_str(), "continue" | "exit" | "undo") && self.word(self.peek()) == "handler" {
            self.lexer.token();
            let plain = [self.next_word(), self.next_word(), self.next_word()] == ["for", "not", "found"];
            if !plain || self.peek().kind == TokenKind::Comma {
                return Err("it has a handler for errors".to_owned());
            }
            return Ok(true);
        }
        self.variables.push(first);
        while self.peek().kind == TokenKind::Comma {
            self.lexer.token();
            let name = self.next_word();
            self.variables.push(name);
        }
        Ok(false)
    }

    /// The assignments of a SET statement, to its end.
    fn set(&mut self) -> Result<(), String> {
        loop {
            let token = self.lexer.token();
            let name = self.word(token);
            let known = token.kind == TokenKind::UserVariable || self.variables.contains(&name);
            let then = self.lexer.token();
            if !known || !matches!(then.kind, TokenKind::Equals | TokenKind::Assign) {
                return Err("it sets something that is not a variable of its own".to_owned());
            }
            let mut depth = 0_usize;
            loop {
                let token = self.lexer.token();
                match token.kind {
                    TokenKind::Open => depth += 1,
                    TokenKind::Close => depth = depth.saturating_sub(1),
                    TokenKind::Comma if depth == 0 => break,
                    TokenKind::Semicolon | TokenKind::End => return Ok(()),
                    _ => {}
                }
                let word = self.word(token);
                if is_refused(&word) {
                    return Err(format!("its body has the word {}", word.to_uppercase()));
                }
            }
        }
    }

    fn skip(&mut self, words: &[&str]) {
        while words.contains(&self.word(self.peek()).as_str()) {
            self.lexer.token();
        }
    }

    /// `INSERT [LOW_PRIORITY | DELAYED | HIGH_PRIORITY] [IGNORE] [INTO] t`, `REPLACE …`
    fn inserts(&mut self) -> Result<bool, String> {
        self.skip(&["low_priority", "high_priority", "ignore", "into"]);
        self.writes_to_one()?;
        Ok(false)
    }

    /// `UPDATE [LOW_PRIORITY] [IGNORE] t [[AS] x] SET …`: of one table.
    fn updates(&mut self) -> Result<bool, String> {
        self.skip(&["low_priority", "ignore"]);
        self.writes_to_one()?;
        for _ in 0..3 {
            let token = self.lexer.token();
            match (token.kind, self.word(token).as_str()) {
                (_, "set") => return Ok(false),
                (TokenKind::Word | TokenKind::Quoted, word) if word != "join" => {}
                _ => break,
            }
        }
        Err("it updates several tables at once".to_owned())
    }

    /// `DELETE [LOW_PRIORITY] [QUICK] [IGNORE] FROM t …`: from one table.
    fn deletes(&mut self) -> Result<bool, String> {
        self.skip(&["low_priority", "quick", "ignore"]);
        if self.next_word() != "from" {
            return Err("it deletes from several tables at once".to_owned());
        }
        self.writes_to_one()?;
        if self.word(self.peek()) == "using" {
            return Err("it deletes from several tables at once".to_owned());
        }
        Ok(false)
    }

    fn writes_to_one(&mut self) -> Result<(), String> {
        let name = self.name()?;
        if self.peek().kind == TokenKind::Comma {
            return Err("it writes to several tables at once".to_owned());
        }
        self.program.writes.push(name);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Program, String> {
        program(body.as_bytes(), &["X".to_owned()], Dialect::default())
    }

    #[test]
    fn who_is_called() {
        let called = |text: &str| {
            let name = callee(text.as_bytes(), Dialect::default())?;
            Some((name.schema.unwrap_or_default(), name.name))
        };
        let of = |schema: &str, name: &str| Some((schema.to_owned(), name.to_owned()));
        assert_eq!(called("CALL p(1)"), of("", "p"));
        assert_eq!(called("/* a */ call `x y` . p"), of("x y", "p"));
        assert_eq!(called("CALL a.b.c()"), None);
        assert_eq!(called("SELECT p(1)"), None);
        assert_eq!(called("CALL"), None);
    }

    #[test]
    fn what_keeps_a_transaction_open() {
        let keeps = |body: &str| keeps_open(body.as_bytes(), Dialect::default());
        for body in [
            "INSERT INTO t (v) VALUES (x)",
            "BEGIN UPDATE t SET a = 'commit'; DO SLEEP(1); SELECT GET_LOCK('a', 1); END",
            "BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION SET @a = 1; INSERT INTO t VALUES (1); END",
            "BEGIN SAVEPOINT a; RELEASE SAVEPOINT a; /* COMMIT */ UPDATE t, u SET a = 1; END",
        ] {
            assert_eq!(keeps(body), Some(Vec::new()), "{body}");
        }
        let q = Name { schema: Some("s".to_owned()), name: "q".to_owned() };
        assert_eq!(keeps("BEGIN CALL s.q(1); END"), Some(vec![q]));
        for body in [
            "COMMIT",
            "BEGIN INSERT INTO t VALUES (1); COMMIT; END",
            "BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END; END",
            "BEGIN SET autocommit = 1; END",
            "BEGIN SET @@autocommit = 1; END",
            "BEGIN /*!50000 COMMIT */; END",
            "BEGIN PREPARE s FROM 'COMMIT'; EXECUTE s; END",
            "TRUNCATE t",
            "BEGIN START TRANSACTION; END",
            "BEGIN INSERT INTO t VALUES ('a; END",
        ] {
            assert_eq!(keeps(body), None, "{body}");
        }
    }

    #[test]
    fn what_is_harmless() {
        let bodies = [
            "INSERT INTO t (v) VALUES (x)",
            "BEGIN INSERT INTO t VALUES (1); UPDATE u SET a = 1, b = (SELECT MAX(c) FROM v) WHERE d = x; END",
            "BEGIN DECLARE done, a INT DEFAULT 0; DECLARE c CURSOR FOR SELECT id FROM t; \
             DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1; OPEN c; \
             r: LOOP FETCH c INTO a; IF done THEN LEAVE r; END IF; SET @n = @n + 1, done = IF(a, 0, 1); \
             END LOOP; CLOSE c; SELECT a FROM t WHERE id = x FOR UPDATE; END",
            "BEGIN DELETE FROM `t` WHERE a = 'commit'; REPLACE s.t VALUES (REPLACE('a', 'b', 'c')); CALL q(1); \
             CALL s.q(); END",
            "BEGIN INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a = 2; SIGNAL SQLSTATE '45000'; END",
            "BEGIN -- COMMIT\n SET x = x + 1; END",
        ];
        for body in bodies {
            assert!(read(body).is_ok(), "{body}: {:?}", read(body));
        }
        let found = read(bodies[3]).unwrap();
        let name = |schema: Option<&str>, name: &str| Name {
            schema: schema.map(str::to_owned),
            name: name.to_owned(),
        };
        assert_eq!(found.calls, [name(None, "q"), name(Some("s"), "q")]);
        assert_eq!(found.writes, [name(None, "t"), name(Some("s"), "t")]);
    }

    #[test]
    fn what_is_not() {
        for body in [
            "COMMIT",
            "BEGIN INSERT INTO t VALUES (1); COMMIT; END",
            "BEGIN START TRANSACTION; END",
            "BEGIN WORK",
            "BEGIN SAVEPOINT a; ROLLBACK TO a; END",
            "BEGIN CREATE TEMPORARY TABLE x (a INT); END",
            "TRUNCATE t",
            "BEGIN SET autocommit = 0; END",
            "BEGIN SET x = 1, sql_log_bin = 0; END",
            "BEGIN SET SESSION max_join_size = 3; END",
            "BEGIN SET @@autocommit = 0; END",
            "BEGIN SET NAMES utf8mb4; END",
            "BEGIN SET STATEMENT max_statement_time=1 FOR SELECT 1; END",
            "BEGIN SET x = GET_LOCK('a', 1); END",
            "BEGIN PREPARE s FROM @a; EXECUTE s; END",
            "EXECUTE IMMEDIATE @a",
            "BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION SET @a = 1; INSERT INTO t VALUES (1); END",
            "BEGIN DECLARE CONTINUE HANDLER FOR NOT FOUND, SQLEXCEPTION SET @a = 1; END",
            "BEGIN DECLARE CONTINUE HANDLER FOR 1213 SET @a = 1; END",
            "BEGIN DO SLEEP(1); END",
            "BEGIN DO GET_LOCK('a', 1); END",
            "LOCK TABLES t WRITE",
            "SELECT 1 INTO OUTFILE '/tmp/x'",
            "UPDATE t, u SET a = 1",
            "UPDATE t JOIN u USING (a) SET b = 1",
            "DELETE t FROM t JOIN u USING (a)",
            "DELETE FROM t USING t, u",
            "WITH a AS (SELECT 1) DELETE FROM t",
            "BEGIN /*!50000 COMMIT */; END",
            "BEGIN INSERT INTO t VALUES ('a; END",
        ] {
            assert!(read(body).is_err(), "{body}: {:?}", read(body));
        }
    }
}
