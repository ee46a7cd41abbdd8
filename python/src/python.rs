//! Python classes and functions that the native code calls, imported on first use.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

/// A name of a Python module, looked up once.
pub struct Imported {
    module: &'static str,
    name: &'static str,
    cell: PyOnceLock<Py<PyAny>>,
}

impl Imported {
    pub const fn new(module: &'static str, name: &'static str) -> Self {
        Self { module, name, cell: PyOnceLock::new() }
    }

    pub fn bind<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyAny>> {
        let value = self.cell.get_or_try_init(py, || {
            py.import(self.module)?.getattr(self.name).map(Bound::unbind)
        })?;
        Ok(value.bind(py))
    }

    pub fn is_instance(&self, object: &Bound<'_, PyAny>) -> PyResult<bool> {
        let class = self.bind(object.py())?;
        object.is_instance(class.cast::<PyType>()?)
    }
}

pub static FROZEN_DICT: Imported = Imported::new("quark_trace.frozen", "FrozenDict");
pub static FROZEN_LIST: Imported = Imported::new("quark_trace.frozen", "FrozenList");
pub static FREEZE: Imported = Imported::new("quark_trace.frozen", "freeze");
pub static THAW: Imported = Imported::new("quark_trace.frozen", "thaw");
pub static EXCEPTION_FROM_NATIVE: Imported =
    Imported::new("quark_trace.exceptions", "_from_native");
pub static ENUM: Imported = Imported::new("enum", "Enum");
pub static DECIMAL: Imported = Imported::new("decimal", "Decimal");
pub static UUID: Imported = Imported::new("uuid", "UUID");
pub static PURE_PATH: Imported = Imported::new("pathlib", "PurePath");
pub static DATE: Imported = Imported::new("datetime", "date");
pub static TIME: Imported = Imported::new("datetime", "time");
pub static MAPPING: Imported = Imported::new("collections.abc", "Mapping");
