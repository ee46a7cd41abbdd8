//! Finding the end of a string.

/// Where the first quote, backslash or control character is, and whether all before it is ASCII;
/// eight bytes are looked at together.
#[inline]
pub(super) fn special(bytes: &[u8]) -> Option<(usize, bool)> {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES * 0x80;
    // A byte of the result has its high bit where the byte of `word` is below `limit`. Carries only
    // reach bytes behind the first such one.
    let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word & HIGH;
    let (words, rest) = bytes.as_chunks::<8>();
    let mut beyond = 0;
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quote = below(word ^ (ONES * u64::from(b'"')), 1);
        let backslash = below(word ^ (ONES * u64::from(b'\\')), 1);
        let found = quote | backslash | below(word, 0x20);
        if found != 0 {
            // The bits below the first one that was found.
            beyond |= word & HIGH & (found & found.wrapping_neg()).wrapping_sub(1);
            return Some((8 * at + found.trailing_zeros() as usize / 8, beyond == 0));
        }
        beyond |= word & HIGH;
    }
    let is_special = |&byte: &u8| byte == b'"' || byte == b'\\' || byte < 0x20;
    let at = rest.iter().position(is_special)?;
    Some((bytes.len() - rest.len() + at, beyond == 0 && rest[..at].is_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_special_character_is_found_wherever_it_is() {
        for byte in 0..=255u8 {
            let is_special = byte == b'"' || byte == b'\\' || byte < 0x20;
            for at in 0..20 {
                for fill in [b'a', b' ', b'!', 0x7F, 0x80, 0xFF] {
                    let mut bytes = [fill; 20];
                    bytes[at] = byte;
                    let found = special(&bytes);
                    assert_eq!(found.is_some(), is_special, "{byte} at {at}");
                    bytes[19] = b'"';
                    let first = if is_special { at } else { 19 };
                    assert_eq!(special(&bytes), Some((first, bytes[..first].is_ascii())));
                }
            }
        }
        assert_eq!(special(b""), None);
    }
}
