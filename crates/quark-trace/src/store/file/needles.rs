//! Bytes that a line must hold if a filter selects it, so that most lines need not be read.
//!
//! JSON may write a text in many ways, but every way other than the text's own bytes has a backslash:
//! a line without any of the needles and without a backslash cannot be selected, whoever wrote it.

use memchr::memmem::{FindIter, Finder};
use quark_trace_core::query::{Comparison, Field, Filter, Literal};

/// Most texts that are looked for at once.
const MOST: usize = 8;

/// Words that stand for values which are written otherwise: `null` as a stage reads as `None`.
const WORDS: [&str; 6] = ["None", "True", "False", "nan", "inf", "-inf"];

/// Texts of which a line holds one at least, or a backslash, if the filter selects it.
#[derive(Debug)]
pub(super) struct Needles(Vec<Finder<'static>>);

impl Needles {
    /// `None` when the filter may select lines without any such text.
    pub fn of(filter: &Filter) -> Option<Self> {
        let texts = texts(filter)?;
        Some(Self(texts.iter().map(|text| Finder::new(text).into_owned()).collect()))
    }

    /// Looks through lines that follow one another in `text`.
    pub fn search<'t>(&'t self, text: &'t [u8]) -> Search<'t> {
        let found = self.0.iter().map(|needle| Hits::new(needle.find_iter(text)));
        Search { found: found.collect(), escapes: Hits::new(memchr::memchr_iter(b'\\', text)) }
    }
}

/// Where in some lines needles and backslashes are.
pub(super) struct Search<'t> {
    found: Vec<Hits<FindIter<'t, 't>>>,
    escapes: Hits<memchr::Memchr<'t>>,
}

impl Search<'_> {
    /// Whether the line from `start` to `end` must be read; lines are asked in order.
    pub fn is_in(&mut self, start: usize, end: usize) -> bool {
        self.found.iter_mut().any(|hits| hits.is_in(start, end)) || self.escapes.is_in(start, end)
    }
}

/// Places in ascending order, of which the next is known.
struct Hits<I> {
    rest: I,
    next: Option<usize>,
}

impl<I: Iterator<Item = usize>> Hits<I> {
    fn new(mut rest: I) -> Self {
        let next = rest.next();
        Self { rest, next }
    }

    fn is_in(&mut self, start: usize, end: usize) -> bool {
        while self.next.is_some_and(|at| at < start) {
            self.next = self.rest.next();
        }
        self.next.is_some_and(|at| at < end)
    }
}

fn texts(filter: &Filter) -> Option<Vec<String>> {
    let shortest = |texts: &Vec<String>| texts.iter().map(String::len).min().unwrap_or(0);
    let texts = match filter {
        Filter::And(parts) => parts.iter().filter_map(texts).max_by_key(shortest)?,
        Filter::Or(parts) => parts.iter().map(texts).collect::<Option<Vec<_>>>()?.concat(),
        Filter::Compare(field, Comparison::Equal, value) => vec![text(field, value)?],
        Filter::In(field, values) => {
            let filled = values.iter().filter(|value| **value != Literal::Null);
            filled.map(|value| text(field, value)).collect::<Option<_>>()?
        }
        Filter::Like(field, like) if !like.ignore_case && like.escape.is_none() => {
            let runs = like.pattern.split(['%', '_']);
            vec![part(field, runs.max_by_key(|run| run.len())?)?]
        }
        _ => return None,
    };
    (!texts.is_empty() && texts.len() <= MOST).then_some(texts)
}

/// The text itself, if no value but that text can be equal to it.
fn text(field: &Field, value: &Literal) -> Option<String> {
    match value {
        Literal::Text(text) => of_text(field, text, WORDS.contains(&text.as_str())),
        _ => None,
    }
}

/// A part of a text, if no value but a text can have it.
fn part(field: &Field, part: &str) -> Option<String> {
    of_text(field, part, WORDS.iter().any(|word| word.contains(part)))
}

fn of_text(field: &Field, text: &str, is_word: bool) -> Option<String> {
    let otherwise = is_word && !matches!(field, Field::Payload(_));
    (!text.is_empty() && !otherwise).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(filter: &str) -> Option<Vec<String>> {
        texts(&Filter::parse(filter).unwrap())
    }

    #[test]
    fn texts_that_must_be_there() {
        let some = |all: &[&str]| Some(all.iter().map(|&text| text.to_owned()).collect::<Vec<_>>());
        assert_eq!(
            found("stage = 'round' AND payload.a = 'longer' AND index = 1"),
            some(&["longer"])
        );
        assert_eq!(found("stage IN ('a', 'b') OR stage = 'c'"), some(&["a", "b", "c"]));
        assert_eq!(found("stage LIKE 'client_round%'"), some(&["client"]));
        assert_eq!(found("payload.a = 'True'"), some(&["True"]));
        for none in [
            "stage = 'None'",
            "stage LIKE '%one'",
            "params.a = 'True'",
            "stage != 'a'",
            "NOT stage = 'a'",
            "stage = 'a' OR index = 1",
            "payload.a IN ('a', 1)",
            "payload.a ILIKE 'a'",
            "payload.a = ''",
            "payload.a LIKE '%'",
            "timestamp LIKE '%'",
            "payload.a IN ('1','2','3','4','5','6','7','8','9')",
        ] {
            assert_eq!(found(none), None, "{none}");
        }
    }
}
