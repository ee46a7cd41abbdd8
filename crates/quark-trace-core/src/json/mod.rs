//! JSON as the original writes and reads it.
//!
//! [`Scanner`] reads the superset that Python's `json.loads` accepts (bare `NaN` and infinities,
//! integers of any size, lone surrogates, repeated keys) at any depth without recursion.
//! [`mod@write`] makes what Python's `json.dumps` makes, byte for byte, and valid RFC 8259 always.

mod event;
mod levels;
mod scan;
mod special;
mod text;
pub mod write;

pub use event::{Event, Fault, Number};
pub use scan::Scanner;
pub use text::Text;
