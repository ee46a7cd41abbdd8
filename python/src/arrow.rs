//! Typed columns for whatever reads Arrow, through the PyCapsule interface; the one place that knows
//! the Arrow crates.

use std::sync::Arc;

use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, LargeStringArray, RecordBatch,
    RecordBatchOptions, RecordBatchReader, TimestampMicrosecondArray,
};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use quark_trace::core::columns::{Columns, Dense, Heading, Kind, Values};

/// Records as typed columns. Any reader of Arrow takes it: `pyarrow.table(table)`,
/// `polars.DataFrame(table)`; neither is needed to make it.
#[pyclass(frozen, module = "quark_trace._core")]
pub struct Table {
    columns: Arc<Columns>,
    schema: SchemaRef,
}

impl Table {
    pub fn new(columns: Columns) -> Self {
        let fields: Vec<Field> = columns.schema().iter().map(field).collect();
        Self { columns: Arc::new(columns), schema: Arc::new(Schema::new(fields)) }
    }
}

#[pymethods]
impl Table {
    /// A stream of record batches, as the Arrow PyCapsule interface has it. It gives its own schema
    /// whichever is asked for, as that interface allows.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        drop(requested_schema);
        let (columns, schema) = (Arc::clone(&self.columns), Arc::clone(&self.schema));
        let stream = FFI_ArrowArrayStream::new(Box::new(Batches { columns, schema, next: 0 }));
        PyCapsule::new_with_value(py, stream, c"arrow_array_stream")
    }

    /// The schema, as the Arrow PyCapsule interface has it.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let schema = FFI_ArrowSchema::try_from(self.schema.as_ref())
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        PyCapsule::new_with_value(py, schema, c"arrow_schema")
    }

    /// The names of the columns.
    #[getter]
    fn column_names(&self) -> Vec<&str> {
        self.schema.fields().iter().map(|field| field.name().as_str()).collect()
    }

    /// How many records there are.
    #[getter]
    fn num_rows(&self) -> usize {
        self.columns.rows()
    }

    fn __len__(&self) -> usize {
        self.columns.rows()
    }

    fn __repr__(&self) -> String {
        format!("Table({} records, {} columns)", self.columns.rows(), self.schema.fields().len())
    }
}

fn field(heading: &Heading) -> Field {
    let kind = match heading.kind {
        Kind::Bool => DataType::Boolean,
        Kind::Integer => DataType::Int64,
        Kind::Float => DataType::Float64,
        Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Kind::Text | Kind::Json => DataType::LargeUtf8,
    };
    // The C interface has names that end at a zero.
    Field::new(heading.name.replace('\0', "\\0"), kind, true)
}

/// Hands out one chunk after the other.
struct Batches {
    columns: Arc<Columns>,
    schema: SchemaRef,
    next: usize,
}

impl Batches {
    fn batch(&self, chunk: usize) -> Result<RecordBatch, ArrowError> {
        let places = 0..self.schema.fields().len();
        let arrays = places.map(|place| array(self.columns.dense(chunk, place)));
        let rows = self.columns.chunks().get(chunk).map_or(0, |chunk| chunk.rows());
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let arrays = arrays.collect::<Result<_, _>>()?;
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let chunk = self.next;
        self.next += 1;
        (chunk < self.columns.chunks().len()).then(|| self.batch(chunk))
    }
}

impl RecordBatchReader for Batches {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

fn array(column: Dense) -> Result<ArrayRef, ArrowError> {
    let nulls = column.present.map(NullBuffer::from);
    Ok(match column.values {
        Values::Bool(values) => Arc::new(BooleanArray::new(values.into(), nulls)),
        Values::Integer(values) => Arc::new(Int64Array::try_new(values.into(), nulls)?),
        Values::Float(values) => Arc::new(Float64Array::try_new(values.into(), nulls)?),
        Values::Time(values) => {
            let times = TimestampMicrosecondArray::try_new(values.into(), nulls)?;
            Arc::new(times.with_timezone("UTC"))
        }
        Values::Text { offsets, bytes } => {
            let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
            Arc::new(LargeStringArray::try_new(offsets, Buffer::from_vec(bytes), nulls)?)
        }
    })
}
