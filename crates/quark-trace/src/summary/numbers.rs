//! Which numbers there are in payloads, found without knowing their names.

use std::borrow::Cow;
use std::cmp::Ordering;

use quark_trace_core::json::{Event, Number as Token, Scanner, Text};
use quark_trace_core::query::{Field, Number, Path};

use super::{LISTED, NumberRange};

/// Deepest object whose numbers are counted.
const DEPTH: usize = 8;

/// Most members that are followed, whether numbers or not.
const MEMBERS: usize = 4 * LISTED;

/// The members of payloads that were come across, and their numbers.
#[derive(Debug, Clone)]
pub(super) struct Numbers {
    /// The payload itself is the first.
    members: Vec<Member>,
    /// Numbers of the record that is read: its last of each member counts.
    fresh: Vec<(usize, Number)>,
    /// How many records were read, and one: what was seen in this record has this number.
    record: u64,
    is_cut: bool,
}

#[derive(Debug, Clone, Default)]
struct Member {
    above: usize,
    name: String,
    below: Vec<usize>,
    /// Which of `below` most likely comes next: records are alike.
    guess: usize,
    /// The record in which it was last.
    seen_in: u64,
    range: Option<Range>,
}

#[derive(Debug, Clone)]
struct Range {
    count: u64,
    min: Option<Number>,
    max: Option<Number>,
    last: Number,
}

impl Default for Numbers {
    fn default() -> Self {
        Self { members: vec![Member::default()], fresh: Vec::new(), record: 0, is_cut: false }
    }
}

impl Numbers {
    /// Counts the numbers of a payload; gives its site, if it names one.
    pub fn take<'a>(&mut self, payload: &'a [u8]) -> Option<Cow<'a, str>> {
        self.record += 1;
        let mut scanner = Scanner::new(payload);
        let mut site = [None, None];
        if let Ok(Some(Event::ObjectStart)) = scanner.next_event() {
            self.object(Some(0), &mut scanner, &mut site);
        }
        let mut fresh = std::mem::take(&mut self.fresh);
        for (member, number) in fresh.drain(..) {
            Range::add(&mut self.members[member].range, number);
        }
        self.fresh = fresh;
        let [site, client] = site;
        site.or(client).map(|text: Text<'a>| text.to_str())
    }

    /// Reads the members of an object; with `None` nothing is counted.
    fn object<'a>(
        &mut self,
        first: Option<usize>,
        scanner: &mut Scanner<'a>,
        site: &mut [Option<Text<'a>>; 2],
    ) {
        let mut open = vec![first];
        let mut member = None;
        // A tagged number is an object with one member of that name.
        let (mut opened, mut tagged) = (false, None::<Number>);
        while let Ok(Some(event)) = scanner.next_event() {
            let tag = tagged.take();
            match event {
                Event::Key(key) => {
                    let above = open.last().copied().flatten();
                    member = above.and_then(|above| self.member(above, key));
                    if open.len() == 1 && !key.escaped {
                        match key.raw {
                            b"site" => site[0] = None,
                            b"client_id" => site[1] = None,
                            _ => {}
                        }
                    }
                }
                Event::ObjectStart => {
                    open.push(member.take().filter(|_| open.len() < DEPTH));
                    opened = true;
                    continue;
                }
                Event::ObjectEnd => {
                    let object = open.pop().flatten().filter(|object| *object > 0);
                    self.fresh.extend(object.zip(tag));
                    if open.is_empty() {
                        return;
                    }
                }
                Event::ArrayStart => {
                    let above = scanner.depth() - 1;
                    while scanner.depth() > above && scanner.next_event().is_ok() {}
                }
                Event::Number(token) => {
                    if let Some(member) = member.take() {
                        self.fresh.push((member, Number::of(token)));
                    }
                }
                Event::String(text) => {
                    if let Some(member) = member.take().map(|member| &self.members[member]) {
                        match member.name.as_str() {
                            "$numberDouble" if opened => tagged = non_finite(text),
                            "site" if member.above == 0 => site[0] = Some(text),
                            "client_id" if member.above == 0 => site[1] = Some(text),
                            _ => {}
                        }
                    }
                }
                Event::Bool(_) | Event::Null | Event::ArrayEnd => {}
            }
            opened &= matches!(event, Event::Key(_));
        }
    }

    /// The member of this name; what it had in this record before is forgotten.
    fn member(&mut self, above: usize, key: Text<'_>) -> Option<usize> {
        let name = if key.escaped { key.to_wtf8() } else { Cow::Borrowed(key.raw) };
        let known = &self.members[above].below;
        let guess = self.members[above].guess % known.len().max(1);
        let fits = |place: usize| self.members[known[place]].name.as_bytes() == name.as_ref();
        let place = match known.get(guess) {
            Some(_) if fits(guess) => Some(guess),
            _ => (0..known.len()).find(|place| fits(*place)),
        };
        let member = match place {
            Some(place) => {
                let member = known[place];
                self.members[above].guess = place + 1;
                member
            }
            None => self.new_member(above, std::str::from_utf8(&name).ok()?)?,
        };
        if self.members[member].seen_in == self.record {
            let members = &self.members;
            let is_below = |mut at: usize| {
                while at != 0 && at != member {
                    at = members[at].above;
                }
                at == member
            };
            self.fresh.retain(|(at, _)| !is_below(*at));
        }
        self.members[member].seen_in = self.record;
        Some(member)
    }

    fn new_member(&mut self, above: usize, name: &str) -> Option<usize> {
        if self.members.len() > MEMBERS || name.len() > 200 {
            self.is_cut = true;
            return None;
        }
        let member = self.members.len();
        self.members.push(Member { above, name: name.to_owned(), ..Member::default() });
        self.members[above].below.push(member);
        Some(member)
    }

    /// Takes the numbers of the records that follow.
    pub fn join(&mut self, later: Self) {
        self.is_cut |= later.is_cut;
        let mut places = vec![Some(0); later.members.len()];
        for (at, member) in later.members.into_iter().enumerate().skip(1) {
            // What is above stands before.
            let place = places[member.above].and_then(|above| {
                let known = self.members[above].below.iter();
                let known = known.copied().find(|known| self.members[*known].name == member.name);
                known.or_else(|| self.new_member(above, &member.name))
            });
            places[at] = place;
            if let (Some(place), Some(range)) = (place, member.range) {
                Range::join(&mut self.members[place].range, range);
            }
        }
    }

    /// Whether some were left out.
    pub fn is_cut(&self) -> bool {
        self.is_cut || self.members.iter().filter(|member| member.range.is_some()).count() > LISTED
    }

    /// The numbers in the order of their first appearance.
    pub fn into_ranges(mut self) -> Vec<NumberRange> {
        let mut ranges = Vec::new();
        for at in 1..self.members.len() {
            let Some(range) = self.members[at].range.take() else { continue };
            let Range { count, min, max, last } = range;
            let field = Field::Payload(self.path(at)).to_string();
            ranges.push(NumberRange { field, count, min, max, last });
            if ranges.len() == LISTED {
                break;
            }
        }
        ranges
    }

    fn path(&self, at: usize) -> Path {
        let Member { above, name, .. } = &self.members[at];
        if *above == 0 { Path::member(name) } else { self.path(*above).key(name) }
    }
}

fn non_finite(text: Text<'_>) -> Option<Number> {
    let token = match text.raw {
        b"NaN" => Token::NotANumber,
        b"Infinity" => Token::Infinity,
        b"-Infinity" => Token::NegativeInfinity,
        _ => return None,
    };
    Some(Number::of(token))
}

impl Range {
    fn add(range: &mut Option<Self>, number: Number) {
        let bound = Some(number.clone()).filter(|number| !number.is_nan());
        Self::join(range, Self { count: 1, min: bound.clone(), max: bound, last: number });
    }

    fn join(range: &mut Option<Self>, later: Self) {
        let Some(known) = range else {
            *range = Some(later);
            return;
        };
        known.count += later.count;
        let keep = |known: &mut Option<Number>, later: Option<Number>, order: Ordering| {
            let better = match (&known, &later) {
                (Some(known), Some(later)) => later.compare(known) == Some(order),
                (None, _) => true,
                (Some(_), None) => false,
            };
            if better {
                *known = later;
            }
        };
        keep(&mut known.min, later.min, Ordering::Less);
        keep(&mut known.max, later.max, Ordering::Greater);
        known.last = later.last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(payloads: &[&str]) -> Vec<String> {
        let mut numbers = Numbers::default();
        payloads.iter().for_each(|payload| drop(numbers.take(payload.as_bytes())));
        let show = |number: Option<Number>| number.map_or("-".to_owned(), |it| it.to_string());
        let line = |it: NumberRange| {
            let (min, max) = (show(it.min), show(it.max));
            format!("{} {} {min} {max} {}", it.field, it.count, it.last)
        };
        numbers.into_ranges().into_iter().map(line).collect()
    }

    #[test]
    fn numbers_are_found_by_their_path() {
        assert_eq!(
            found(&[
                r#"{"loss": 0.5, "m": {"a b": 2, "c": [3, {"d": 4}], "e": true}, "x": "7"}"#,
                r#"{"m": {"a b": 18446744073709551617}, "loss": {"$numberDouble": "NaN"}, "n": NaN}"#,
                r#"{"loss": 0.25, "x": 1, "n": {"$numberDouble": "-Infinity"}}"#,
                r#"{"q": {"$numberDouble": "NaN", "r": 1}, "n": {"s": 1, "$numberDouble": "NaN"}}"#,
            ]),
            [
                "payload.loss 3 0.25 0.5 0.25",
                "payload.m.\"a b\" 2 2 18446744073709551617 18446744073709551617",
                "payload.x 1 1 1 1",
                "payload.n 2 -Infinity -Infinity -Infinity",
                "payload.q.r 1 1 1 1",
                "payload.n.s 1 1 1 1",
            ]
        );
        assert_eq!(found(&["[1, 2]", "3", "null", "\"x\"", "{\"a\": "]), [""; 0]);
    }

    #[test]
    fn the_last_of_repeated_keys_counts() {
        assert_eq!(
            found(&[r#"{"a": {"b": 1, "c": 2}, "d": 1, "a": {"c": 3}, "d": null}"#]),
            ["payload.a.c 1 3 3 3"]
        );
    }

    #[test]
    fn parts_are_put_together() {
        let (mut left, mut right) = (Numbers::default(), Numbers::default());
        left.take(br#"{"a": 1}"#);
        assert_eq!(right.take(br#"{"b": {"c": 5}, "a": 3, "site": "x"}"#).as_deref(), Some("x"));
        left.join(right);
        let ranges = left.into_ranges();
        assert_eq!(ranges[0].field, "payload.a");
        assert_eq!(
            (ranges[0].min.clone(), ranges[0].max.clone()),
            (Some(1.into()), Some(3.into()))
        );
        assert_eq!(ranges[1].field, "payload.b.c");
    }
}
