//! MariaDB's `ed25519` and `parsec`: the client signs what the server drew. Both sign with Ed25519 (RFC 8032), whose secret
//! is the password itself for the one, which RFC 8032 does not foresee, and a key derived from it for the other.

use curve25519_dalek::{EdwardsPoint, Scalar, scalar::clamp_integer};
use sha2::{Digest, Sha512};
use zeroize::Zeroizing;

/// Bytes that a server draws for a login with either plugin.
pub const CHALLENGE: usize = 32;
/// Bytes of a signature.
pub const SIGNATURE: usize = 64;
/// Block of SHA-512, bytes.
const BLOCK: usize = 128;
/// Largest `1024 << factor` rounds that we spend: the server's own plugin stores 0 to 3.
const MOST_ROUNDS: u8 = 6;

/// Signs `message` with `secret` of any length.
pub fn sign(secret: &[u8], message: &[u8]) -> [u8; SIGNATURE] {
    let expanded: Zeroizing<[u8; 64]> = Zeroizing::new(Sha512::digest(secret).into());
    let (scalar, prefix) = halves(&expanded);
    let secret = Zeroizing::new(Scalar::from_bytes_mod_order(clamp_integer(scalar)));
    let public = EdwardsPoint::mul_base(&secret).compress().to_bytes();
    let nonce = Zeroizing::new(wide(Sha512::new().chain_update(prefix).chain_update(message)));
    let commitment = EdwardsPoint::mul_base(&nonce).compress().to_bytes();
    let hash = Sha512::new().chain_update(commitment).chain_update(public).chain_update(message);
    let proof = (wide(hash) * *secret + *nonce).to_bytes();
    let mut signature = [0; SIGNATURE];
    let (first, second) = signature.split_at_mut(32);
    first.copy_from_slice(&commitment);
    second.copy_from_slice(&proof);
    signature
}

fn wide(hash: Sha512) -> Scalar {
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}

fn halves(whole: &[u8; 64]) -> ([u8; 32], [u8; 32]) {
    let (mut first, mut second) = ([0; 32], [0; 32]);
    let (left, right) = whole.split_at(32);
    first.copy_from_slice(left);
    second.copy_from_slice(right);
    (first, second)
}

/// The answer to `parsec`: what the client drew and its signature over both draws. `description` is what the server says of
/// the account: `P`, a factor for the rounds, the salt. `None` if it says something else.
pub fn parsec(
    password: &[u8],
    (server, client): (&[u8], &[u8; CHALLENGE]),
    description: &[u8],
) -> Option<Vec<u8>> {
    let [b'P', factor, salt @ ..] = description else { return None };
    if *factor > MOST_ROUNDS || salt.is_empty() || server.len() != CHALLENGE {
        return None;
    }
    let key = derive(password, salt, 1024 << factor);
    let signature = sign(&*key, &[server, client].concat());
    Some([&client[..], &signature].concat())
}

/// PBKDF2 with HMAC-SHA-512, the first 32 bytes.
fn derive(password: &[u8], salt: &[u8], rounds: u32) -> Zeroizing<[u8; 32]> {
    let (inner, outer) = keyed(password);
    let round = |message: &[u8], more: &[u8]| -> [u8; 64] {
        let hash = inner.clone().chain_update(message).chain_update(more).finalize();
        outer.clone().chain_update(hash).finalize().into()
    };
    let mut last = round(salt, &[0, 0, 0, 1]);
    let mut sum = Zeroizing::new(last);
    for _ in 1..rounds {
        last = round(&last, &[]);
        sum.iter_mut().zip(last).for_each(|(byte, other)| *byte ^= other);
    }
    Zeroizing::new(halves(&sum).0)
}

/// Both hashes of HMAC with its key taken in.
fn keyed(key: &[u8]) -> (Sha512, Sha512) {
    let mut block = Zeroizing::new([0; BLOCK]);
    if key.len() > BLOCK {
        let hash: [u8; 64] = Sha512::digest(key).into();
        block.iter_mut().zip(hash).for_each(|(byte, own)| *byte = own);
    } else {
        block.iter_mut().zip(key).for_each(|(byte, own)| *byte = *own);
    }
    let pad = |with: u8| Sha512::new().chain_update(block.map(|byte| byte ^ with));
    (pad(0x36), pad(0x5c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        hex.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    /// RFC 8032, 7.1, tests 1 and 3.
    #[test]
    fn signs_as_the_standard_does() {
        let cases = [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "",
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b\
                 d25bf5f0595bbe24655141438e7a100b",
            ),
            (
                "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                "af82",
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659\
                 4a7c15e9716ed28dc027beceea1ec40a",
            ),
        ];
        for (secret, message, signature) in cases {
            assert_eq!(sign(&bytes(secret), &bytes(message)).to_vec(), bytes(signature));
        }
    }

    /// Of python3's hashlib.pbkdf2_hmac("sha512", …).
    #[test]
    fn derives_keys_as_others_do() {
        let cases = [
            (
                &b"password"[..],
                &b"salt"[..],
                2,
                "e1d9c16aa681708a45f5c7c4e215ceb66e011a2e9f0040713f18aefdb866d53c",
            ),
            (
                &[b'x'; 200][..],
                &b"0123456789abcdefgh"[..],
                1024,
                "8dafe4b60d5f7f2a571c7ac8b2b433ddf8107f744620de057714454b694f4b4d",
            ),
        ];
        for (password, salt, rounds, key) in cases {
            assert_eq!(derive(password, salt, rounds).to_vec(), bytes(key));
        }
    }

    #[test]
    fn a_description_that_is_none_gets_no_answer() {
        let good = [&[b'P', 0][..], &[7; 18]].concat();
        let answer = |server: &[u8], description: &[u8]| parsec(b"secret", (server, &[1; 32]), description);
        assert_eq!(answer(&[2; 32], &good).map(|answer| answer.len()), Some(96));
        for bad in [&b""[..], b"P", b"P\x00", b"Q\x00salt", b"P\x07salt"] {
            assert_eq!(answer(&[2; 32], bad), None);
        }
        assert_eq!(answer(&[2; 31], &good), None);
    }
}
