//! API keys: 256 random bits in a form that scanners for leaked secrets can recognise.
//!
//! ```text
//! qt_<12 of key id>_<43 of secret><6 of CRC-32>      in the digits 0-9A-Za-z
//! ```
//!
//! The server keeps the SHA-256 of the whole text alone. A slow hash would add nothing: nobody can
//! try 2^256 secrets, and whoever sends wrong keys would make the server work.

use std::fmt;

use quark_trace::core::ledger::Digest;
use subtle::ConstantTimeEq;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PREFIX: &str = "qt_";
const ID_LENGTH: usize = 12;
const SECRET_LENGTH: usize = 43;
const CHECK_LENGTH: usize = 6;

/// A key as its holder has it. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// Makes a key from the system's randomness.
    ///
    /// # Errors
    /// When the system has none to give.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let (mut id, mut secret) = ([0; 9], [0; 32]);
        getrandom::fill(&mut id)?;
        getrandom::fill(&mut secret)?;
        let id = base62(&id, ID_LENGTH);
        let secret = base62(&secret, SECRET_LENGTH);
        let text = format!("{PREFIX}{id}_{secret}");
        let check = check_of(&text);
        Ok(Self(text + &check))
    }

    /// Takes a text that has the form of a key; `None` for any other, before anything is looked up.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?;
        let (id, secret) = rest.split_once('_')?;
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let fits = id.len() == ID_LENGTH
            && secret.len() == SECRET_LENGTH + CHECK_LENGTH
            && is_digits(id)
            && is_digits(secret);
        let (body, check) = text.split_at_checked(text.len().checked_sub(CHECK_LENGTH)?)?;
        (fits && check_of(body) == check).then(|| Self(text.to_owned()))
    }

    /// The public part, by which the key is looked up and spoken of.
    pub fn id(&self) -> &str {
        &self.0[PREFIX.len()..PREFIX.len() + ID_LENGTH]
    }

    /// What the server keeps of it.
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }

    /// Whether this is the key that `digest` was made of; takes as long for each wrong one.
    pub fn is(&self, digest: Digest) -> bool {
        self.digest().0.ct_eq(&digest.0).into()
    }

    /// The key itself, for its holder alone.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ApiKey(..)")
    }
}

/// The text without what looks like a key, for errors that tell somebody what they sent: a key that
/// was put in the wrong place must not end up in the log of whoever reads the answer.
pub fn without_keys(text: &str) -> String {
    let mut parts = text.split(PREFIX);
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_of_key = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let end = part.find(|character| !is_of_key(character)).unwrap_or(part.len());
        clean.push_str(PREFIX);
        let is_key = end > ID_LENGTH;
        if is_key {
            clean.push('…');
        }
        clean.push_str(if is_key { &part[end..] } else { part });
    }
    clean
}

fn check_of(text: &str) -> String {
    base62(&crc32fast::hash(text.as_bytes()).to_be_bytes(), CHECK_LENGTH)
}

/// A big-endian number in base 62, with leading zeros up to `length` digits.
fn base62(number: &[u8], length: usize) -> String {
    let mut number = number.to_vec();
    let mut digits = vec![0; length];
    for digit in digits.iter_mut().rev() {
        let mut rest = 0_u32;
        for byte in &mut number {
            let value = rest << 8 | u32::from(*byte);
            *byte = (value / 62) as u8;
            rest = value % 62;
        }
        *digit = DIGITS[rest as usize];
    }
    digits.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_and_is_itself_alone() {
        let (one, other) = (ApiKey::generate().unwrap(), ApiKey::generate().unwrap());
        let read = ApiKey::parse(one.reveal()).unwrap();
        assert!(read.is(one.digest()) && !read.is(other.digest()));
        assert_ne!(one.id(), other.id());
        assert_eq!(one.reveal().len(), 3 + 12 + 1 + 43 + 6);
        assert!(!format!("{one:?}").contains(one.id()));
    }

    #[test]
    fn a_slip_is_noticed_before_anything_is_looked_up() {
        let key = ApiKey::generate().unwrap();
        let text = key.reveal();
        for at in 0..text.len() {
            let mut slip = text.as_bytes().to_vec();
            slip[at] = if slip[at] == b'x' { b'y' } else { b'x' };
            assert!(ApiKey::parse(std::str::from_utf8(&slip).unwrap()).is_none(), "{at}");
        }
        for bad in ["", "qt_", "qt__", "Bearer", &text[..text.len() - 1], &format!("{text}0"), "é"]
        {
            assert!(ApiKey::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_key_in_a_text_is_left_out() {
        let key = ApiKey::generate().unwrap();
        let text = format!("`{0}` is no index, {0}", key.reveal());
        assert_eq!(without_keys(&text), "`qt_…` is no index, qt_…");
        assert_eq!(without_keys(&format!("{}é", &key.reveal()[..40])), "qt_…é");
        for plain in ["", "the index 7", "qt_", "qt_short is a name", "é qt_ é"] {
            assert_eq!(without_keys(plain), plain);
        }
    }

    #[test]
    fn numbers_in_base_62() {
        assert_eq!(base62(&[0], 2), "00");
        assert_eq!(base62(&[61], 2), "0z");
        assert_eq!(base62(&[62], 2), "10");
        assert_eq!(base62(&[255, 255, 255, 255], 6), "4gfFC3");
        // 43 digits hold 256 bits: 62^43 > 2^256.
        assert_eq!(base62(&[255; 32], 44).as_bytes()[0], b'0');
    }
}
