//! Columns of numbers, one for each event of a chunk.
//!
//! Sessions follow one another, so most columns change little from one event to the next: times and positions are
//! kept as differences, numbers of table entries as runs or packed bit by bit.

use core::ops::Range;

use crate::store::bytes::{Damaged, Reader, Writer, unzigzag, zigzag};

/// How a difference is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Difference {
    /// Nearly always upwards.
    Rising,
    /// Either way.
    Signed,
}

/// Numbers as differences from the one before in the same session; the first of a session from the smallest of all.
/// `sessions` are the events of each session.
pub(super) fn write_differences(
    out: &mut Writer,
    difference: Difference,
    numbers: &[u64],
    sessions: impl Iterator<Item = Range<usize>>,
) {
    let base = numbers.iter().copied().min().unwrap_or(0);
    out.varint(base);
    for session in sessions {
        let mut last = base;
        for number in numbers.get(session).unwrap_or_default() {
            let step = number.wrapping_sub(last);
            out.varint(match difference {
                Difference::Rising => step,
                Difference::Signed => zigzag(step),
            });
            last = *number;
        }
    }
}

/// Reads what [`write_differences`] wrote.
pub(super) fn read_differences(
    bytes: &[u8],
    difference: Difference,
    sessions: impl Iterator<Item = Range<usize>>,
) -> Result<Vec<u64>, Damaged> {
    let mut from = Reader::new(bytes);
    let base = from.varint()?;
    let mut numbers = Vec::with_capacity(from.left());
    for session in sessions {
        let mut last = base;
        for _ in session {
            let step = from.varint()?;
            last = last.wrapping_add(match difference {
                Difference::Rising => step,
                Difference::Signed => unzigzag(step),
            });
            numbers.push(last);
        }
    }
    from.end()?;
    Ok(numbers)
}

/// Numbers of entries that hold for many events in a row: how many, and how far back the entry first appeared; 0 is the
/// next entry that did not appear before.
pub(super) fn write_runs(out: &mut Writer, numbers: &[u32]) {
    let mut fresh = 0;
    for run in numbers.chunk_by(|one, other| one == other) {
        let Some(number) = run.first() else { continue };
        out.varint(run.len() as u64);
        out.varint((fresh - *number).into());
        fresh += u32::from(*number == fresh);
    }
}

/// Reads what [`write_runs`] wrote for `count` events and a table of `entries`.
pub(super) fn read_runs(bytes: &[u8], count: usize, entries: usize) -> Result<Vec<u32>, Damaged> {
    let mut from = Reader::new(bytes);
    let mut numbers = Vec::with_capacity(count);
    let mut fresh = 0u32;
    while numbers.len() < count {
        let length = usize::try_from(from.varint()?).map_err(|_| Damaged)?;
        if length > count - numbers.len() {
            return Err(Damaged);
        }
        let number = fresh.checked_sub(from.varint32()?).ok_or(Damaged)?;
        if number as usize >= entries {
            return Err(Damaged);
        }
        fresh += u32::from(number == fresh);
        numbers.resize(numbers.len() + length, number);
    }
    from.end()?;
    Ok(numbers)
}

/// Reads numbers of entries that [`Writer::packed`] wrote for `count` events and a table of `entries`.
pub(super) fn read_packed(bytes: &[u8], count: usize, entries: usize) -> Result<Vec<u32>, Damaged> {
    let mut from = Reader::new(bytes);
    let numbers = take_packed(&mut from, count, entries)?;
    from.end()?;
    Ok(numbers)
}

/// The same, with more behind them.
pub(super) fn take_packed(from: &mut Reader<'_>, count: usize, entries: usize) -> Result<Vec<u32>, Damaged> {
    let numbers = from.packed(count)?;
    let largest = numbers.iter().copied().max();
    if largest.is_none_or(|number| (number as usize) < entries) { Ok(numbers) } else { Err(Damaged) }
}

/// Which numbers are absent, a bit each if any is; then those that are not.
pub(super) fn write_optional(out: &mut Writer, numbers: &[Option<u64>]) {
    let absent: Vec<u32> = numbers.iter().map(|number| number.is_none().into()).collect();
    out.packed(&absent);
    numbers.iter().flatten().for_each(|number| out.varint(*number));
}

/// Reads what [`write_optional`] wrote for `count` events.
pub(super) fn read_optional(bytes: &[u8], count: usize) -> Result<Vec<Option<u64>>, Damaged> {
    let mut from = Reader::new(bytes);
    let absent = from.packed(count)?;
    let read = absent.into_iter().map(|absent| if absent == 0 { from.varint().map(Some) } else { Ok(None) });
    let numbers = read.collect::<Result<_, _>>()?;
    from.end()?;
    Ok(numbers)
}
