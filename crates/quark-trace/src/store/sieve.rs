//! Which keys were never put in: a Bloom filter that grows, in four bytes a key.

/// The first bytes of a digest.
pub(super) type ShortKey = [u8; 8];

/// Keys that the first part takes; each further one takes twice as many.
const FIRST: usize = 4096;
/// Bits for each key, of which so many are set. Of a million keys that were not put in, two pass.
const BITS: usize = 32;
const SET: u64 = 10;

/// A set of keys that may say of a key that was not put in that it was, and never the reverse.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    words: Vec<u64>,
    left: usize,
}

impl Sieve {
    /// Puts a key in.
    pub fn put(&mut self, key: &ShortKey) {
        if self.parts.last().is_none_or(|part| part.left == 0) {
            let keys = FIRST << self.parts.len();
            self.parts.push(Part { words: vec![0; keys * BITS / 64], left: keys });
        }
        if let Some(part) = self.parts.last_mut() {
            part.left -= 1;
            let places = places(key, part.words.len());
            places.for_each(|(word, bit)| part.words[word] |= bit);
        }
    }

    /// Whether a key was put in, perhaps; `false` is certain.
    pub fn may_have(&self, key: &ShortKey) -> bool {
        let has = |part: &Part| {
            places(key, part.words.len()).all(|(word, bit)| part.words[word] & bit != 0)
        };
        self.parts.iter().rev().any(has)
    }
}

/// Where the bits of a key are. Keys are digests, and so as good as random.
fn places(key: &ShortKey, words: usize) -> impl Iterator<Item = (usize, u64)> {
    let key = u64::from_be_bytes(*key);
    let (first, step) = (key >> 32, key & 0xffff_ffff | 1);
    let bits = words as u64 * 64;
    (0..SET).map(move |n| {
        let at = first.wrapping_add(n.wrapping_mul(step)) % bits;
        ((at / 64) as usize, 1 << (at % 64))
    })
}

#[cfg(test)]
mod tests {
    use quark_trace_core::ledger::Digest;

    use super::*;

    #[test]
    fn what_was_put_in_is_there_and_little_else() {
        let key = |n: u32| {
            let digest = Digest::of(&n.to_be_bytes()).0;
            ShortKey::try_from(&digest[..8]).unwrap()
        };
        let mut sieve = Sieve::default();
        assert!(!sieve.may_have(&key(0)));
        (0..100_000).for_each(|n| sieve.put(&key(n)));
        assert!((0..100_000).all(|n| sieve.may_have(&key(n))));
        let wrong = (100_000..1_100_000).filter(|n| sieve.may_have(&key(*n))).count();
        assert!(wrong < 40, "{wrong} of a million");
    }
}
