//! The native module of the Python package `quark_trace`.
use pyo3::prelude::*;

/// The native module.
#[pymodule]
mod _core {}
