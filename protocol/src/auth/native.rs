//! `mysql_native_password`. Stage 1 is SHA1(password), stage 2 is SHA1(stage 1). The server stores stage 2; whoever
//! has stage 1 can log in.

use sha1::{Digest, Sha1};

use super::{Nonce, same, xor};

/// SHA1(password): as good as the password. Keep it as secret.
pub fn stage1(password: &[u8]) -> [u8; 20] {
    Sha1::digest(password).into()
}

/// SHA1(SHA1(password)): what servers store.
pub fn stage2(stage1: &[u8; 20]) -> [u8; 20] {
    Sha1::digest(stage1).into()
}

/// The client's answer to `nonce`.
pub fn scramble(stage1: &[u8; 20], nonce: &Nonce) -> [u8; 20] {
    xor(stage1, &mask(nonce, &stage2(stage1)))
}

/// Checks a client's answer to `nonce` against the stored stage 2. If it is right, returns stage 1, which the answer
/// reveals to whoever knows stage 2.
pub fn verify(response: &[u8], nonce: &Nonce, stored: &[u8; 20]) -> Option<[u8; 20]> {
    let response: &[u8; 20] = response.try_into().ok()?;
    let candidate = xor(response, &mask(nonce, stored));
    same(&stage2(&candidate), stored).then_some(candidate)
}

/// Stage 2 from the form in the account tables: `*` and 40 hexadecimal digits.
pub fn parse_stored(text: &str) -> Option<[u8; 20]> {
    let digits = text.strip_prefix('*')?.as_bytes();
    if digits.len() != 40 {
        return None;
    }
    let mut stage2 = [0; 20];
    for (byte, pair) in stage2.iter_mut().zip(digits.chunks_exact(2)) {
        for &digit in pair {
            *byte = (*byte << 4) | u8::try_from(char::from(digit).to_digit(16)?).ok()?;
        }
    }
    Some(stage2)
}

fn mask(nonce: &Nonce, stage2: &[u8; 20]) -> [u8; 20] {
    Sha1::new().chain_update(nonce).chain_update(stage2).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_form_of_a_known_password() {
        // SELECT PASSWORD('password') on MariaDB.
        let stored = parse_stored("*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19").unwrap();
        assert_eq!(stage2(&stage1(b"password")), stored);
        assert_eq!(parse_stored("2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"), None);
        assert_eq!(parse_stored("*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E1g"), None);
        assert_eq!(parse_stored("*"), None);
        assert_eq!(parse_stored(""), None);
    }

    #[test]
    fn a_right_answer_reveals_stage_1_and_a_wrong_one_nothing() {
        let nonce = *b"abcdefghijklmnopqrst";
        let secret = stage1(b"secret");
        let answer = scramble(&secret, &nonce);
        assert_eq!(verify(&answer, &nonce, &stage2(&secret)), Some(secret));
        assert_eq!(verify(&answer, &nonce, &stage2(&stage1(b"other"))), None);
        assert_eq!(verify(&answer, b"ABCDEFGHIJKLMNOPQRST", &stage2(&secret)), None);
        assert_eq!(verify(&answer[..19], &nonce, &stage2(&secret)), None);
        assert_eq!(verify(b"", &nonce, &stage2(&secret)), None);
    }
}
