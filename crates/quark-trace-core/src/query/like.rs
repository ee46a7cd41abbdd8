//! LIKE patterns, matched in time linear in the text.

use memchr::memmem;

use super::error::{QueryError, QueryFault};
use super::filter::Like;

/// A pattern, ready to be matched.
#[derive(Debug, Clone)]
pub(super) enum Pattern {
    /// Runs of plain text between `%`: looked for byte by byte.
    Plain { runs: Vec<Vec<u8>>, whole: Ends },
    /// Runs with `_`, or without regard to case: looked for in characters.
    Characters { runs: Vec<Run>, whole: Ends, ignore_case: bool },
}

/// Whether the first run begins where the text begins, and the last ends where it ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    start: bool,
    end: bool,
}

/// Characters, `None` for any one; and for each character the places it may stand at, a bit each.
#[derive(Debug, Clone)]
pub(super) struct Run {
    characters: Vec<Option<u32>>,
    places: Vec<(u32, Vec<u64>)>,
    anywhere: Vec<u64>,
}

impl Pattern {
    pub fn new(like: &Like) -> Result<Self, QueryError> {
        let (runs, whole) = split(like)?;
        let plain = !like.ignore_case && runs.iter().flatten().all(Option::is_some);
        if plain {
            let text = |run: Vec<Option<char>>| run.into_iter().flatten().collect::<String>();
            let runs = runs.into_iter().map(|run| text(run).into_bytes()).collect();
            return Ok(Self::Plain { runs, whole });
        }
        let ignore_case = like.ignore_case;
        let code = |character: char| match ignore_case {
            true => folded(u32::from(character)),
            false => u32::from(character),
        };
        let run =
            |run: Vec<Option<char>>| Run::new(run.into_iter().map(|one| one.map(code)).collect());
        Ok(Self::Characters { runs: runs.into_iter().map(run).collect(), whole, ignore_case })
    }

    /// Whether the whole text is as the pattern says. `text` may hold lone surrogates as three
    /// bytes, each one character.
    pub fn matches(&self, text: &[u8]) -> bool {
        match self {
            Self::Plain { runs, whole } => matches_plain(runs, *whole, text),
            Self::Characters { runs, whole, ignore_case } => {
                let mut characters = Vec::with_capacity(text.len());
                decode(text, &mut characters);
                if *ignore_case {
                    characters.iter_mut().for_each(|character| *character = folded(*character));
                }
                matches_characters(runs, *whole, &characters)
            }
        }
    }
}

/// What stands between two `%`; `None` for any character.
type Characters = Vec<Option<char>>;

/// The runs between `%`, one at least.
fn split(like: &Like) -> Result<(Vec<Characters>, Ends), QueryError> {
    let mut runs = vec![Vec::new()];
    let mut characters = like.pattern.chars();
    while let Some(character) = characters.next() {
        let run = match runs.last_mut() {
            Some(run) => run,
            None => break,
        };
        if Some(character) == like.escape {
            let escaped = characters.next();
            match escaped {
                Some(one @ ('%' | '_')) => run.push(Some(one)),
                Some(one) if one == character => run.push(Some(one)),
                _ => {
                    let message =
                        format!("the escape {character:?} must stand before %, _ or itself");
                    return Err(QueryError::new(QueryFault::Pattern, message));
                }
            }
        } else if character == '%' {
            runs.push(Vec::new());
        } else {
            run.push(Some(character).filter(|one| *one != '_'));
        }
    }
    let many = runs.len() > 1;
    let ends = Ends {
        start: !many || runs.first().is_some_and(|run| !run.is_empty()),
        end: !many || runs.last().is_some_and(|run| !run.is_empty()),
    };
    if many {
        runs.retain(|run| !run.is_empty());
    }
    Ok((runs, ends))
}

fn matches_plain(runs: &[Vec<u8>], whole: Ends, mut text: &[u8]) -> bool {
    let mut runs = runs;
    if whole.start {
        let Some((first, rest)) = runs.split_first() else { return true };
        let Some(behind) = text.strip_prefix(first.as_slice()) else { return false };
        if rest.is_empty() && whole.end {
            return behind.is_empty();
        }
        (text, runs) = (behind, rest);
    }
    if whole.end {
        let Some((last, rest)) = runs.split_last() else { return true };
        let Some(before) = text.strip_suffix(last.as_slice()) else { return false };
        (text, runs) = (before, rest);
    }
    runs.iter().all(|run| match memmem::find(text, run) {
        Some(at) => {
            text = &text[at + run.len()..];
            true
        }
        None => false,
    })
}

fn matches_characters(runs: &[Run], whole: Ends, mut text: &[u32]) -> bool {
    let mut runs = runs;
    if whole.start {
        let Some((first, rest)) = runs.split_first() else { return true };
        if !first.begins(text) {
            return false;
        }
        text = &text[first.len()..];
        if rest.is_empty() && whole.end {
            return text.is_empty();
        }
        runs = rest;
    }
    if whole.end {
        let Some((last, rest)) = runs.split_last() else { return true };
        let Some(at) = text.len().checked_sub(last.len()).filter(|at| last.begins(&text[*at..]))
        else {
            return false;
        };
        (text, runs) = (&text[..at], rest);
    }
    runs.iter().all(|run| match run.find_end(text) {
        Some(end) => {
            text = &text[end..];
            true
        }
        None => false,
    })
}

impl Run {
    fn new(characters: Vec<Option<u32>>) -> Self {
        let words = characters.len().div_ceil(64);
        let mut anywhere = vec![0; words];
        let mut places: Vec<(u32, Vec<u64>)> = Vec::new();
        let mut distinct: Vec<u32> = characters.iter().flatten().copied().collect();
        distinct.sort_unstable();
        distinct.dedup();
        places.extend(distinct.into_iter().map(|character| (character, vec![0; words])));
        for (at, character) in characters.iter().enumerate() {
            let (word, bit) = (at / 64, 1 << (at % 64));
            match character {
                None => {
                    anywhere[word] |= bit;
                    places.iter_mut().for_each(|(_, bits)| bits[word] |= bit);
                }
                Some(character) => {
                    if let Ok(known) = places.binary_search_by_key(character, |(known, _)| *known) {
                        places[known].1[word] |= bit;
                    }
                }
            }
        }
        Self { characters, places, anywhere }
    }

    fn len(&self) -> usize {
        self.characters.len()
    }

    fn begins(&self, text: &[u32]) -> bool {
        text.len() >= self.len()
            && self
                .characters
                .iter()
                .zip(text)
                .all(|(one, found)| one.is_none_or(|one| one == *found))
    }

    /// Where the first place in `text` ends that the run fits: all beginnings are followed at once,
    /// a bit each (R. Baeza-Yates and G. Gonnet, "A New Approach to Text Searching").
    fn find_end(&self, text: &[u32]) -> Option<usize> {
        let last = self.len().checked_sub(1)?;
        let mut begun = vec![0u64; self.anywhere.len()];
        for (at, character) in text.iter().enumerate() {
            let known = self.places.binary_search_by_key(character, |(known, _)| *known);
            let fits = known.map_or(&self.anywhere, |known| &self.places[known].1);
            let mut carried = 1;
            for (word, fits) in begun.iter_mut().zip(fits) {
                let carry = *word >> 63;
                *word = (*word << 1 | carried) & fits;
                carried = carry;
            }
            if begun[last / 64] >> (last % 64) & 1 == 1 {
                return Some(at + 1);
            }
        }
        None
    }
}

/// The character in lower case, where that is one character.
fn folded(character: u32) -> u32 {
    let Some(known) = char::from_u32(character) else { return character };
    if known.is_ascii() {
        return u32::from(known.to_ascii_lowercase());
    }
    let mut lower = known.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(one), None) => u32::from(one),
        _ => character,
    }
}

/// The characters of UTF-8 in which lone surrogates may stand.
fn decode(text: &[u8], characters: &mut Vec<u32>) {
    let mut rest = text;
    while let [first, behind @ ..] = rest {
        let (length, bits) = match first {
            0xF0.. => (3, first & 0x07),
            0xE0.. => (2, first & 0x0F),
            0xC0.. => (1, first & 0x1F),
            _ => (0, *first),
        };
        let length = length.min(behind.len());
        let more = behind[..length].iter();
        characters
            .push(more.fold(u32::from(bits), |code, byte| code << 6 | u32::from(byte & 0x3F)));
        rest = &behind[length..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn like(text: &str, pattern: &str, escape: Option<char>, ignore_case: bool) -> bool {
        let like = Like { pattern: pattern.to_owned(), escape, ignore_case };
        Pattern::new(&like).unwrap().matches(text.as_bytes())
    }

    #[test]
    fn patterns_match_as_in_sql() {
        for (text, pattern, expected) in [
            ("", "", true),
            ("", "%", true),
            ("", "_", false),
            ("abc", "abc", true),
            ("abc", "ABC", false),
            ("abc", "a%", true),
            ("abc", "%c", true),
            ("abc", "%b%", true),
            ("abc", "a%b", false),
            ("abab", "ab%ab", true),
            ("aba", "ab%ba", false),
            ("abc", "a_c", true),
            ("abc", "___", true),
            ("abc", "____", false),
            ("aéc", "a_c", true),
            ("aXbXbc", "a%b_", true),
            ("abcabd", "%ab_%d", true),
            ("abcabd", "%_bd", true),
            ("100%", "100%", true),
            ("a\nb", "a%b", true),
            ("(a)", "(a)", true),
        ] {
            assert_eq!(like(text, pattern, None, false), expected, "{text} {pattern}");
        }
        assert!(like("ÄbC", "äBc", None, true) && like("ÄbC", "%BC", None, true));
        assert!(!like("ß", "SS", None, true));
        assert!(like("50%", "50!%", Some('!'), false) && !like("500", "50!%", Some('!'), false));
        assert!(like("a_b!", "a!_b!!", Some('!'), false));
        let lone = Like { pattern: "a_b".to_owned(), escape: None, ignore_case: false };
        assert!(Pattern::new(&lone).unwrap().matches(b"a\xED\xB3\xA9b"));
    }

    #[test]
    fn long_runs_go_over_the_edge_of_a_word() {
        let run = "ab_".repeat(50);
        let text = format!("{}{}", "abc".repeat(10_000), "abx".repeat(60));
        assert!(like(&text, &format!("%{run}%"), None, false));
        assert!(like(&text, &format!("%{run}abx"), None, false));
        assert!(!like(&text, &format!("%{run}y%"), None, false));
    }
}
