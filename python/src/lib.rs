//! The native module of the Python package `quark_trace`: a thin skin over the Rust library.
//!
//! Python values are encoded and decoded here, straight from and to the stored bytes; everything
//! else is the library's. Importing it reads no environment, opens nothing and starts no thread.

use pyo3::prelude::*;

mod arguments;
mod arrow;
mod client;
mod collector;
mod decode;
mod encode;
mod errors;
mod filters;
mod fork;
mod listed;
mod log;
mod numbers;
mod python;
mod record;
mod search;
mod sheet;
mod stages;
mod store;
mod summary;

/// The native module.
#[pymodule(gil_used = false)]
mod _core {
    /// The version of the package.
    #[pymodule_export]
    #[allow(non_upper_case_globals, reason = "the name that Python uses")]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_export]
    use crate::arrow::Table;
    #[pymodule_export]
    use crate::client::{Client, spooled};
    #[pymodule_export]
    use crate::fork::{after_fork_in_child, after_fork_in_parent, before_fork, told_of_forks};
    #[pymodule_export]
    use crate::log::Log;
    #[pymodule_export]
    use crate::record::{TraceRecord, record_from_line, record_line};
    #[pymodule_export]
    use crate::search::{Search, search, search_records};
    #[pymodule_export]
    use crate::sheet::{amend_sheet, check_content, parse_sheet, read_sheet, sheet_template};
    #[pymodule_export]
    use crate::stages::{
        broken_schemas, infer_schema, schemas_in_force, stage_coverage, stage_vocabulary,
        use_schema,
    };
    #[pymodule_export]
    use crate::store::Store;
    #[pymodule_export]
    use crate::summary::summarize_records;
}
