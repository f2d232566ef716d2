//! Commands of clients: which there are, what each is answered with, and the parts of them that the proxy must read
//! or write.

mod execute;
mod kind;
mod param;
mod query;
mod statement_id;

pub use execute::{ExecuteView, rewrite_bulk, rewrite_execute};
pub use kind::CommandKind;
pub use param::ParamType;
pub use query::query_text;
pub use statement_id::{rewrite_statement_id, statement_id};
