//! `caching_sha2_password`. The fast path is a challenge that a server can check once it has seen the password since its
//! start; otherwise it asks for the password, over TLS, a Unix socket or RSA.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Nonce, same, xor};

/// The client's answer to `nonce`.
pub fn scramble(password: &[u8], nonce: &Nonce) -> [u8; 32] {
    let inner: Zeroizing<[u8; 32]> = Zeroizing::new(Sha256::digest(password).into());
    xor(&inner, &mask(&digest_of(&inner), nonce))
}

/// SHA256(SHA256(password)): what a server keeps in memory for the fast path.
pub fn digest(password: &[u8]) -> [u8; 32] {
    let inner: Zeroizing<[u8; 32]> = Zeroizing::new(Sha256::digest(password).into());
    digest_of(&inner)
}

/// Checks a client's answer to `nonce` against the kept digest.
pub fn verify(response: &[u8], nonce: &Nonce, digest: &[u8; 32]) -> bool {
    let Ok(response) = <&[u8; 32]>::try_from(response) else { return false };
    let inner = Zeroizing::new(xor(response, &mask(digest, nonce)));
    same(&digest_of(&inner), digest)
}

/// What is encrypted with the server's RSA key: the password and its NUL, XORed with the nonce over and over. The same
/// call undoes it.
pub fn obfuscate(password_with_nul: &[u8], nonce: &Nonce) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(password_with_nul.iter().zip(nonce.iter().cycle()).map(|(byte, key)| byte ^ key).collect())
}

fn digest_of(inner: &[u8; 32]) -> [u8; 32] {
    Sha256::digest(inner).into()
}

fn mask(digest: &[u8; 32], nonce: &Nonce) -> [u8; 32] {
    Sha256::new().chain_update(digest).chain_update(nonce).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: Nonce = *b"abcdefghijklmnopqrst";

    #[test]
    fn only_the_right_answer_is_accepted() {
        let answer = scramble(b"secret", &NONCE);
        assert!(verify(&answer, &NONCE, &digest(b"secret")));
        assert!(!verify(&answer, &NONCE, &digest(b"other")));
        assert!(!verify(&answer, b"ABCDEFGHIJKLMNOPQRST", &digest(b"secret")));
        assert!(!verify(&answer[1..], &NONCE, &digest(b"secret")));
    }

    #[test]
    fn obfuscation_undoes_itself() {
        let long = [b'p'; 50];
        assert_eq!(*obfuscate(&obfuscate(&long, &NONCE), &NONCE), long);
    }
}
