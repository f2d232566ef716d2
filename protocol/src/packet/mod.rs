//! The packets, one a file. `decode` takes a payload without frame header; `encode` appends one.

mod attributes;
mod auth_more;
mod auth_switch;
mod change_user;
mod column;
mod eof;
mod err;
mod greeting;
mod local_infile;
mod login;
mod ok;
mod prepare_ok;
mod session_track;
mod ssl_request;

pub use auth_more::AuthMore;
pub use auth_switch::AuthSwitch;
pub use change_user::ChangeUser;
pub use column::ColumnDefinition;
pub use eof::EofPacket;
pub use err::ErrPacket;
pub use greeting::Greeting;
pub use local_infile::LocalInfile;
pub use login::Login;
pub use ok::OkPacket;
pub use prepare_ok::PrepareOk;
pub use session_track::SessionTrack;
pub use ssl_request::SslRequest;

use crate::wire::{DecodeError, Reader};

/// Takes the first byte, which must be `header`.
fn expect_header(reader: &mut Reader<'_>, header: u8, expected: &'static str) -> Result<(), DecodeError> {
    match reader.u8()? {
        byte if byte == header => Ok(()),
        got => Err(DecodeError::WrongPacket { expected, got }),
    }
}

/// Text that is ASCII in practice (plugin names, versions). Other bytes are replaced.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
