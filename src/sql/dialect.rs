/// How the server would read a text: what its lexer depends on.
///
/// `ansi_quotes` and `no_backslash_escapes` come from the session's `sql_mode`, the rest from the server's
/// greeting and from `character_set_client`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Dialect {
    /// `ANSI_QUOTES` is on: `"x"` is an identifier, not a string.
    pub ansi_quotes: bool,
    /// `NO_BACKSLASH_ESCAPES` is on: a backslash in a string is an ordinary character.
    pub no_backslash_escapes: bool,
    /// The server is MariaDB: it runs `/*M! */` comments and passes over `/*!50700 */` to `/*!99999 */`.
    pub mariadb: bool,
    /// The server's version as executable comments spell it: 101119 for 10.11.19, 90704 for 9.7.4.
    pub version: u32,
    /// `character_set_client` is one whose second bytes may be a backslash or a quote (big5, cp932, gbk,
    /// gb18030, sjis). Strings with bytes from 0x80 up are then not trusted: the statement is `UNSURE`.
    pub multibyte_unsafe: bool,
}

impl Dialect {
    /// MySQL 9.7 with its default modes.
    pub const MYSQL: Self = Self {
        ansi_quotes: false,
        no_backslash_escapes: false,
        mariadb: false,
        version: 90_704,
        multibyte_unsafe: false,
    };
    /// MariaDB 10.11 with its default modes.
    pub const MARIADB: Self = Self { mariadb: true, version: 101_119, ..Self::MYSQL };
}
