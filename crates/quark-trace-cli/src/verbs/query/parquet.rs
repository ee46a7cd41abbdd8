//! Columns as a Parquet file; the one place that knows the crate.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;
use quark_trace::core::columns::{Columns, Dense, Heading, Kind, Values};

use crate::failure::Failure;

/// Rows of one group: what a reader skips or reads as a whole.
const GROUP_ROWS: usize = 1 << 19;

/// Writes the file, whole or not at all: it takes the name when all of it is written.
pub fn write(columns: &Columns, file: &Path) -> std::result::Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::failed(format!("could not write {}: {error}", file.display()))
    };
    let mut name = file.file_name().ok_or_else(|| failed(&"it is no name of a file"))?.to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = file.with_file_name(name);
    // Made anew: what somebody else has put there is neither written over nor followed.
    let open = File::create_new(&part).map_err(|error| failed(&error))?;
    let written = write_to(columns, BufWriter::new(open))
        .and_then(|open| Ok(open.into_inner().map_err(io::Error::from)?.sync_all()?))
        .and_then(|()| Ok(fs::rename(&part, file)?));
    written.map_err(|error| {
        // What was begun is of no use; that it cannot be removed either says nothing new.
        let _ = fs::remove_file(&part);
        match error {
            // Without a word of how the crate wraps it.
            ParquetError::External(error) => failed(&error),
            other => failed(&other),
        }
    })
}

fn write_to<W: Write + Send>(columns: &Columns, out: W) -> Result<W> {
    let fields = columns.schema().iter().map(field).collect::<Result<Vec<_>>>()?;
    let root = Type::group_type_builder("record").with_fields(fields).build()?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by(format!("quark-trace {}", env!("CARGO_PKG_VERSION")))
        .build();
    let mut writer = SerializedFileWriter::new(out, Arc::new(root), Arc::new(properties))?;
    let mut next = 0;
    while next < columns.chunks().len() {
        let (first, mut rows) = (next, 0);
        while let Some(chunk) = columns.chunks().get(next)
            && (rows == 0 || rows + chunk.rows() <= GROUP_ROWS)
        {
            rows += chunk.rows();
            next += 1;
        }
        let mut group = writer.next_row_group()?;
        for at in 0..columns.schema().len() {
            let Some(mut column) = group.next_column()? else { break };
            (first..next).try_for_each(|part| put(&mut column, &columns.dense(part, at)))?;
            column.close()?;
        }
        group.close()?;
    }
    writer.into_inner()
}

fn field(heading: &Heading) -> Result<Arc<Type>> {
    let (physical, logical) = match heading.kind {
        Kind::Bool => (Physical::BOOLEAN, None),
        Kind::Integer => (Physical::INT64, None),
        Kind::Float => (Physical::DOUBLE, None),
        Kind::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
        // Not the logical type JSON: readers show that as bytes.
        Kind::Text | Kind::Json => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
    };
    let built = Type::primitive_type_builder(&heading.name, physical)
        .with_logical_type(logical)
        .with_repetition(Repetition::OPTIONAL)
        .build()?;
    Ok(Arc::new(built))
}

/// Appends the values that are there, and for each row whether there is one.
fn put(column: &mut SerializedColumnWriter<'_>, dense: &Dense) -> Result<()> {
    let rows = dense.rows();
    let levels: Vec<i16> = (0..rows).map(|row| i16::from(dense.is_present(row))).collect();
    let levels = Some(levels.as_slice());
    match &dense.values {
        Values::Bool(values) => {
            column.typed::<BoolType>().write_batch(&present(dense, values), levels, None)?;
        }
        Values::Integer(values) | Values::Time(values) => {
            column.typed::<Int64Type>().write_batch(&present(dense, values), levels, None)?;
        }
        Values::Float(values) => {
            column.typed::<DoubleType>().write_batch(&present(dense, values), levels, None)?;
        }
        texts @ Values::Text { .. } => {
            let values: Vec<ByteArray> = (0..rows)
                .filter(|&row| dense.is_present(row))
                .map(|row| ByteArray::from(texts.text(row)))
                .collect();
            column.typed::<ByteArrayType>().write_batch(&values, levels, None)?;
        }
    }
    Ok(())
}

fn present<T: Copy>(dense: &Dense, values: &[T]) -> Vec<T> {
    let rows = values.iter().enumerate().filter(|(row, _)| dense.is_present(*row));
    rows.map(|(_, value)| *value).collect()
}
