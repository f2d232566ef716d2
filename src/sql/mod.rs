//! What a statement is, without asking a server.
