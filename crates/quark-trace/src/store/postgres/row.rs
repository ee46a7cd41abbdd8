//! The values of a row. Whoever owns the tables can change what their columns hold, so none is taken
//! for granted.

use postgres::Row;
use postgres::types::FromSql;

use super::fault::Fault;

/// The value at a place of a row; a fault where the column holds what this program never puts there.
pub(super) fn value<'r, T: FromSql<'r>>(row: &'r Row, at: usize) -> Result<T, Fault> {
    row.try_get(at).map_err(|_| {
        let name = row.columns().get(at).map_or("?", |column| column.name());
        Fault::corrupted(&format!("the column {name} is not as this program writes it"))
    })
}
