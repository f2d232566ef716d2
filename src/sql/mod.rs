//! What a statement is, without asking a server. PURE.
//!
//! `classify` reads a text once with the module's own lexer and says what running it may do. It errs on the
//! careful side: a statement is `READS_ONLY` only if it surely is, and what is not understood is `UNSURE`.
//! It knows nothing of sessions, servers or results.

mod assigned;
mod builtins;
mod bytes;
mod cache;
mod classify;
mod ddl;
pub mod details;
mod dialect;
mod effects;
mod for_statement;
mod ids;
mod instead;
mod key;
mod lexer;
mod limits;
mod own_id;
pub mod program;
mod session_verbs;
mod statement;
mod tags;
mod token;
mod walk;
mod words;

pub use assigned::assigned_variables;
pub use cache::Cache;
pub use classify::classify;
pub use dialect::Dialect;
pub use effects::Effects;
pub use for_statement::set_for_statement;
pub use ids::{killed_user, with_connection_id, with_row_count};
pub use limits::skips_rows;
pub use own_id::{inserts_several, may_name_id};
pub use statement::{Kind, Statement};
pub use tags::Tags;

#[cfg(test)]
mod tests;
