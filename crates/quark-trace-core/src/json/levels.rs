//! How deep a reader is, one bit a level.

/// One flag for each open level: is it an object? Allocates only below 64 levels.
#[derive(Debug, Clone, Default)]
pub(super) struct Levels {
    pub depth: usize,
    upper: u64,
    lower: Vec<bool>,
}

impl Levels {
    pub fn push(&mut self, object: bool) {
        if self.depth < 64 {
            self.upper = self.upper << 1 | u64::from(object);
        } else {
            self.lower.push(object);
        }
        self.depth += 1;
    }

    pub fn pop(&mut self) -> Option<bool> {
        let object = self.last()?;
        self.depth -= 1;
        if self.depth < 64 {
            self.upper >>= 1;
        } else {
            self.lower.pop();
        }
        Some(object)
    }

    pub fn last(&self) -> Option<bool> {
        match self.depth {
            0 => None,
            1..=64 => Some(self.upper & 1 == 1),
            _ => self.lower.last().copied(),
        }
    }
}
