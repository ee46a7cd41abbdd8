//! Did you mean: the nearest known word to one that is not known.

/// Longest word worth a guess, in characters; it also bounds the work on a hostile key.
const LONGEST: usize = 40;

/// The candidate that `word` is most likely a slip of, or `None` when none is near.
pub(crate) fn nearest<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    if word.len() > 4 * LONGEST {
        return None;
    }
    let word = folded(word);
    if word.is_empty() || word.len() > LONGEST {
        return None;
    }
    candidates
        .into_iter()
        // Also a bound on the work: names may come from data.
        .filter(|candidate| candidate.len() <= 4 * LONGEST)
        .map(|candidate| (distance(&word, &folded(candidate)), candidate))
        .filter(|&(distance, candidate)| distance <= candidate.len().div_ceil(4).min(3))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// Case, and whether words are joined by `-`, `_` or a space, is no difference.
fn folded(word: &str) -> Vec<char> {
    let joined = |character| if matches!(character, '-' | ' ') { '_' } else { character };
    word.trim().chars().flat_map(char::to_lowercase).map(joined).collect()
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, &from) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, &to) in right.iter().enumerate() {
            let replaced = above[column] + usize::from(from != to);
            let mut best = replaced.min(above[column + 1] + 1).min(current[column] + 1);
            let swapped = row > 0 && column > 0 && from == right[column - 1] && to == left[row - 1];
            if swapped {
                best = best.min(before[column - 1] + 1);
            }
            current.push(best);
        }
        before = std::mem::replace(&mut above, current);
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_left_alone() {
        let known = ["purpose", "domain", "ml_type", "stakeholders", "type", "name"];
        for (word, meant) in [
            ("pupose", "purpose"),
            ("purpsoe", "purpose"),
            ("ml-type", "ml_type"),
            ("ML Type", "ml_type"),
            ("stakeholder", "stakeholders"),
            ("nmae", "name"),
        ] {
            assert_eq!(nearest(word, known), Some(meant), "{word}");
        }
        for word in ["", "risk", "licence", "xyz", &"n".repeat(1_000_000)] {
            assert_eq!(nearest(word, known), None);
        }
    }
}
