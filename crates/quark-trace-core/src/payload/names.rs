//! The names in objects that are being read, of which none may stand twice.

use std::borrow::Cow;
use std::collections::HashSet;

use super::PayloadError;

/// Names up to so many are compared one by one.
const FEW: usize = 24;

/// The names seen in each open object.
#[derive(Debug, Default)]
pub(super) struct Names<'t> {
    open: Vec<Level<'t>>,
    few: Vec<Cow<'t, [u8]>>,
}

/// An open object or array.
#[derive(Debug)]
struct Level<'t> {
    /// Where its names begin in `few`.
    first: usize,
    /// All of them, once they are many.
    many: Option<HashSet<Cow<'t, [u8]>>>,
}

impl<'t> Names<'t> {
    /// Takes note that an object or an array begins.
    pub fn open(&mut self) {
        self.open.push(Level { first: self.few.len(), many: None });
    }

    /// Takes note that the one that began last ends.
    pub fn close(&mut self) {
        if let Some(level) = self.open.pop() {
            self.few.truncate(level.first);
        }
    }

    /// Takes a name in the innermost object; refused when it stands there already.
    pub fn take(&mut self, name: Cow<'t, [u8]>) -> Result<(), PayloadError> {
        if self.is_new(name.clone()) {
            return Ok(());
        }
        Err(PayloadError::RepeatedKey { key: String::from_utf8_lossy(&name).into_owned() })
    }

    /// Whether this name is new in the innermost object; it is noted.
    fn is_new(&mut self, name: Cow<'t, [u8]>) -> bool {
        let Some(Level { first, many }) = self.open.last_mut() else { return true };
        if let Some(many) = many {
            return many.insert(name);
        }
        if self.few[*first..].contains(&name) {
            return false;
        }
        self.few.push(name);
        if self.few.len() - *first > FEW {
            *many = Some(self.few.drain(*first..).collect());
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_object_has_names_of_its_own() {
        let mut names = Names::default();
        names.open();
        assert!(names.is_new(b"a".into()));
        names.open();
        assert!(names.is_new(b"a".into()));
        assert!(!names.is_new(b"a".into()));
        names.close();
        assert!(!names.is_new(b"a".into()));
        assert!(names.is_new(b"b".into()));
        names.close();
        assert!(names.open.is_empty() && names.few.is_empty());
    }

    #[test]
    fn few_names_and_many() {
        for count in [1, FEW - 1, FEW, FEW + 1, FEW + 2, 3 * FEW] {
            let mut names = Names::default();
            names.open();
            names.open();
            let name = |at: usize| Cow::from(at.to_string().into_bytes());
            assert!((0..count).all(|at| names.is_new(name(at))), "{count}");
            assert!(!(0..count).any(|at| names.is_new(name(at))), "{count}");
            names.close();
            assert!(names.is_new(name(0)), "{count}");
        }
    }
}
