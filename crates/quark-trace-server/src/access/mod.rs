//! Who calls, and what they may do. Nothing is answered before this was asked.
//!
//! | file | what it holds |
//! |---|---|
//! | `key` | the form of an API key |
//! | `caller` | who calls, found out from the key or the session |
//! | `policy` | what each route asks for; a route cannot be made without one |
//! | `guard` | the step before every handler |
//! | `session` | signing in to the pages |
//! | `last_used` | when each key was last used |
//! | `rate` | how often somebody may call |
//! | `throttle` | how many bytes somebody may send in a second |
//! | `share` | how many places of a kind somebody may have at a time |
//! | `audit` | what was refused, as records of the server's own ledger |

pub mod audit;
mod caller;
mod guard;
mod key;
pub mod last_used;
mod policy;
pub mod rate;
pub mod session;
pub mod share;
pub mod throttle;

pub use caller::{Caller, Identity};
pub use guard::{Granted, guard};
pub use key::{ApiKey, without_keys};
pub use policy::{Object, Policy};
