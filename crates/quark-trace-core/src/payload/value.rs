//! The values that a payload is built from.

use std::io::Write as _;

use super::{Known, Payload};
use crate::json::write;

/// What can stand in a payload.
pub trait PayloadValue {
    /// Appends the value as JSON.
    fn write(&self, out: &mut Vec<u8>);

    /// How deep its arrays and objects are nested, 0 for a plain value. `None` has the payload read
    /// again before it is logged, which also finds out whether [`PayloadValue::write`] wrote JSON.
    fn depth(&self) -> Option<usize> {
        None
    }
}

macro_rules! integers {
    ($($kind:ty)*) => {$(
        impl PayloadValue for $kind {
            fn write(&self, out: &mut Vec<u8>) {
                // Writing to memory cannot fail.
                let _ = write!(out, "{self}");
            }

            fn depth(&self) -> Option<usize> {
                Some(0)
            }
        }
    )*};
}
integers!(i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize);

impl PayloadValue for f64 {
    fn write(&self, out: &mut Vec<u8>) {
        write::float(out, *self);
    }

    fn depth(&self) -> Option<usize> {
        Some(0)
    }
}

impl PayloadValue for f32 {
    fn write(&self, out: &mut Vec<u8>) {
        write::float(out, f64::from(*self));
    }

    fn depth(&self) -> Option<usize> {
        Some(0)
    }
}

impl PayloadValue for bool {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if *self { b"true" } else { b"false" });
    }

    fn depth(&self) -> Option<usize> {
        Some(0)
    }
}

impl PayloadValue for str {
    fn write(&self, out: &mut Vec<u8>) {
        write::string(out, self);
    }

    fn depth(&self) -> Option<usize> {
        Some(0)
    }
}

impl PayloadValue for String {
    fn write(&self, out: &mut Vec<u8>) {
        write::string(out, self);
    }

    fn depth(&self) -> Option<usize> {
        Some(0)
    }
}

impl PayloadValue for Payload {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.json);
    }

    fn depth(&self) -> Option<usize> {
        match &self.known {
            Known::Built { depth, names } if self.is_sound(*depth, names) => Some(*depth),
            _ => None,
        }
    }
}

impl<T: PayloadValue> PayloadValue for Option<T> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.write(out),
            None => out.extend_from_slice(b"null"),
        }
    }

    fn depth(&self) -> Option<usize> {
        self.as_ref().map_or(Some(0), T::depth)
    }
}

impl<T: PayloadValue + ?Sized> PayloadValue for &T {
    fn write(&self, out: &mut Vec<u8>) {
        (**self).write(out);
    }

    fn depth(&self) -> Option<usize> {
        (**self).depth()
    }
}

impl<T: PayloadValue> PayloadValue for Vec<T> {
    fn write(&self, out: &mut Vec<u8>) {
        self.as_slice().write(out);
    }

    fn depth(&self) -> Option<usize> {
        self.as_slice().depth()
    }
}

impl<T: PayloadValue> PayloadValue for [T] {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        for (index, value) in self.iter().enumerate() {
            if index > 0 {
                out.extend_from_slice(b", ");
            }
            value.write(out);
        }
        out.push(b']');
    }

    fn depth(&self) -> Option<usize> {
        self.iter().try_fold(1, |deepest: usize, value| Some(deepest.max(value.depth()? + 1)))
    }
}
