//! What a client's session amounts to, so that it can move to another server.
