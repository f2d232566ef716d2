//! Password plugins as pure functions: scrambles from the client's side, checks from the server's.

pub mod caching_sha2;
mod certificate;
pub mod ed25519;
pub mod native;
mod plugin;

pub use certificate::CertificateNames;
pub use plugin::Plugin;

/// The random bytes of a greeting, from which scrambles are made. No byte is NUL.
pub type Nonce = [u8; 20];

/// Compares without telling by its duration how much agrees.
fn same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

fn xor<const N: usize>(left: &[u8; N], right: &[u8; N]) -> [u8; N] {
    let mut result = *left;
    for (byte, other) in result.iter_mut().zip(right) {
        *byte ^= other;
    }
    result
}
