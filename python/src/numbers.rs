//! Integers of any size between Python and decimal digits.
//!
//! CPython refuses to convert more than 4,300 digits at once; longer ones go through in pieces.

use pyo3::prelude::*;
use pyo3::types::PyInt;

const PIECE: usize = 4000;

/// Appends the decimal digits of an integer.
pub fn write_integer(out: &mut Vec<u8>, integer: &Bound<'_, PyInt>) -> PyResult<()> {
    if let Ok(small) = integer.extract::<i64>() {
        let mut buffer = [0u8; 20];
        out.extend_from_slice(small_digits(&mut buffer, small));
        return Ok(());
    }
    if let Ok(large) = integer.extract::<i128>() {
        out.extend_from_slice(large.to_string().as_bytes());
        return Ok(());
    }
    write_huge(out, integer.as_any())
}

fn small_digits(buffer: &mut [u8; 20], value: i64) -> &[u8] {
    let mut rest = value.unsigned_abs();
    let mut at = buffer.len();
    loop {
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        at -= 1;
        buffer[at] = b'-';
    }
    &buffer[at..]
}

fn write_huge(out: &mut Vec<u8>, integer: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = integer.py();
    let mut rest = integer.abs()?;
    if integer.lt(0)? {
        out.push(b'-');
    }
    let base = 10u32.into_pyobject(py)?.pow(PIECE, py.None())?;
    let mut pieces = Vec::new();
    while rest.ge(&base)? {
        let (quotient, piece): (Bound<'_, PyAny>, Bound<'_, PyAny>) =
            rest.divmod(&base)?.extract()?;
        pieces.push(piece.str()?.to_str()?.to_owned());
        rest = quotient;
    }
    out.extend_from_slice(rest.str()?.to_str()?.as_bytes());
    for piece in pieces.iter().rev() {
        out.resize(out.len() + PIECE - piece.len(), b'0');
        out.extend_from_slice(piece.as_bytes());
    }
    Ok(())
}

/// The integer with these digits (an optional minus in front).
pub fn read_integer<'py>(py: Python<'py>, digits: &str) -> PyResult<Bound<'py, PyAny>> {
    if let Ok(small) = digits.parse::<i64>() {
        return Ok(small.into_pyobject(py)?.into_any());
    }
    let (negative, digits) = digits.strip_prefix('-').map_or((false, digits), |rest| (true, rest));
    let class = py.get_type::<PyInt>();
    let base = 10u32.into_pyobject(py)?.pow(PIECE, py.None())?;
    let first = digits.len() % PIECE;
    let mut value = match first {
        0 => 0u32.into_pyobject(py)?.into_any(),
        _ => class.call1((&digits[..first],))?,
    };
    for piece in digits.as_bytes()[first..].chunks(PIECE) {
        let piece = class.call1((String::from_utf8_lossy(piece),))?;
        value = value.mul(&base)?.add(piece)?;
    }
    if negative { value.neg() } else { Ok(value) }
}
