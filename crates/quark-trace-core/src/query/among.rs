//! The values behind IN.

use std::cmp::Ordering;

use super::datum::Datum;
use super::number::Number;

/// Values of which one is to be equal: of each type sorted, because there may be many.
#[derive(Debug, Clone, Default)]
pub(super) struct Among {
    pub null: bool,
    pub bools: Vec<bool>,
    pub numbers: Vec<Number>,
    pub texts: Vec<Vec<u8>>,
    pub moments: Vec<i64>,
}

impl Among {
    /// Puts the values in order, when all of them are there.
    pub fn sort(&mut self) {
        self.bools.sort_unstable();
        self.bools.dedup();
        // Nothing is equal to NaN; the others have an order.
        self.numbers.retain(|number| !number.is_nan());
        self.numbers.sort_by(|left, right| left.compare(right).unwrap_or(Ordering::Equal));
        self.texts.sort_unstable();
        self.moments.sort_unstable();
    }

    /// Whether a value, which is not NULL, is one of them; `None` for NULL.
    pub fn holds(&self, datum: &Datum<'_>, written: bool) -> Option<bool> {
        let mut unknown = self.null;
        if !self.texts.is_empty() {
            let text = if written { datum.written() } else { datum.text() };
            let is = |text: &[u8]| {
                self.texts.binary_search_by(|known| known.as_slice().cmp(text)).is_ok()
            };
            if text.is_some_and(|text| is(&text)) {
                return Some(true);
            }
        }
        if !self.numbers.is_empty()
            && let Some(found) = datum.number().filter(|found| !found.is_nan())
        {
            let order = |known: &Number| known.compare(&found).unwrap_or(Ordering::Less);
            if self.numbers.binary_search_by(order).is_ok() {
                return Some(true);
            }
        }
        if let Datum::Bool(found) = datum
            && self.bools.contains(found)
        {
            return Some(true);
        }
        if let Datum::Text(_) = datum
            && !self.moments.is_empty()
        {
            // A text that is no time is nothing that could be compared.
            match datum.instant() {
                Some(found) if self.moments.binary_search(&found).is_ok() => return Some(true),
                Some(_) => {}
                None => unknown = true,
            }
        }
        if unknown { None } else { Some(false) }
    }
}
