//! RSA-OAEP as `caching_sha2_password` and `sha256_password` use it without TLS (MySQL manual, "Caching SHA-2 Pluggable
//! Authentication"): the server's public key encrypts the password that was XORed with the nonce.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
    PublicEncryptingKey,
};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use zeroize::Zeroizing;

/// Our own key pair, made at start.
#[derive(Debug)]
pub struct RsaKey {
    private: OaepPrivateDecryptingKey,
    public_pem: Vec<u8>,
}

impl RsaKey {
    /// Makes a 2048-bit key, as the servers do.
    ///
    /// # Errors
    /// A sentence, when the library refuses.
    pub fn generate() -> Result<Self, String> {
        let refused = |_| "the cryptographic library could not make an RSA key".to_owned();
        let key = PrivateDecryptingKey::generate(KeySize::Rsa2048).map_err(refused)?;
        let der = key.public_key().as_der().map_err(refused)?;
        let public_pem = pem(der.as_ref());
        let private = OaepPrivateDecryptingKey::new(key).map_err(refused)?;
        Ok(Self { private, public_pem })
    }

    /// The public half, as sent to clients.
    #[must_use]
    pub fn public_pem(&self) -> &[u8] {
        &self.public_pem
    }

    /// Decrypts what a client sent; `None` if it is not for this key.
    #[must_use]
    pub fn decrypt(&self, ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut room = Zeroizing::new(vec![0; self.private.min_output_size()]);
        let count = self.private.decrypt(&OAEP_SHA1_MGF1SHA1, ciphertext, &mut room, None).ok()?.len();
        room.truncate(count);
        Some(room)
    }
}

/// Encrypts `plaintext` for the holder of the public key in `pem`; `None` if the key cannot be read or is too small.
#[must_use]
pub fn encrypt_with_pem(pem: &[u8], plaintext: &[u8]) -> Option<Vec<u8>> {
    let der = SubjectPublicKeyInfoDer::from_pem_slice(pem).ok()?;
    let key = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(der.as_ref()).ok()?).ok()?;
    let mut room = vec![0; key.ciphertext_size()];
    let count = key.encrypt(&OAEP_SHA1_MGF1SHA1, plaintext, &mut room, None).ok()?.len();
    room.truncate(count);
    Some(room)
}

/// DER to PEM: 64 base64 characters a line.
fn pem(der: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = b"-----BEGIN PUBLIC KEY-----\n".to_vec();
    for line in der.chunks(48) {
        for group in line.chunks(3) {
            let word = group.iter().fold(0u32, |w, b| (w << 8) | u32::from(*b)) << (8 * (3 - group.len()));
            for at in 0..4 {
                let index = (word >> (18 - 6 * at)) & 63;
                text.push(if at <= group.len() { ALPHABET[index as usize] } else { b'=' });
            }
        }
        text.push(b'\n');
    }
    text.extend_from_slice(b"-----END PUBLIC KEY-----\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encrypted_for_our_key_is_decrypted_by_it() {
        let key = RsaKey::generate().expect("key");
        for secret in [&b"x\0"[..], b"a long password, longer than the nonce of twenty bytes\0"] {
            let sent = encrypt_with_pem(key.public_pem(), secret).expect("encrypts");
            assert_eq!(key.decrypt(&sent).expect("decrypts").as_slice(), secret);
        }
        assert!(key.decrypt(b"nonsense").is_none());
        assert!(encrypt_with_pem(b"no key", b"x").is_none());
    }
}
