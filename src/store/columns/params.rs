//! Business values of the few events that have some: names once, then for each such event its place and its values.

use super::tables::{Interner, read_texts, write_texts};
use crate::parameter::Value;
use crate::session::{Event, Params};
use crate::store::bytes::{Damaged, Reader, Writer};

/// Writes nothing at all where no event has any.
pub(super) fn write(out: &mut Writer, events: &[(u64, Event<'_>)]) {
    let mut names = Interner::new();
    let mut entries = Writer::default();
    let mut next = 0;
    for (index, (_, event)) in events.iter().enumerate().filter(|(_, (_, event))| !event.params.is_empty()) {
        entries.varint((index - next) as u64);
        next = index + 1;
        // Plain data cannot fail to be encoded; nothing at all would be refused as damaged.
        let values: Vec<(u32, &Value)> = event.params.iter().map(|(name, value)| (names.number(name), value)).collect();
        let encoded = postcard::to_allocvec(&values).unwrap_or_default();
        entries.varint(encoded.len() as u64);
        entries.raw(&encoded);
    }
    if next > 0 {
        out.section(|out| write_texts(out, names.entries()));
        out.raw(&entries.finish());
    }
}

/// Values of events by their indices.
#[derive(Debug, Default)]
pub struct ReadParams {
    names: Vec<Box<str>>,
    /// By rising index.
    values: Vec<(usize, Vec<(u32, Value)>)>,
}

impl ReadParams {
    pub(super) fn read(bytes: &[u8], events: usize) -> Result<Self, Damaged> {
        let mut from = Reader::new(bytes);
        if from.left() == 0 {
            return Ok(Self::default());
        }
        let names: Vec<Box<str>> = read_texts(from.section()?)?.into_iter().map(Into::into).collect();
        let (mut values, mut next) = (Vec::new(), 0usize);
        while from.left() > 0 {
            let gap = usize::try_from(from.varint()?).map_err(|_| Damaged)?;
            let index = next.checked_add(gap).filter(|index| *index < events).ok_or(Damaged)?;
            next = index + 1;
            values.push((index, postcard::from_bytes(from.bytes()?).map_err(|_| Damaged)?));
        }
        Ok(Self { names, values })
    }

    /// The values of the event at `index`.
    pub fn of(&self, index: usize) -> Params<'_> {
        let at = self.values.binary_search_by_key(&index, |(at, _)| *at).ok();
        let values = at.and_then(|at| self.values.get(at)).map_or(&[][..], |(_, values)| values.as_slice());
        Params::new(&self.names, values)
    }

    /// Every value.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.values.iter().flat_map(|(_, values)| values).map(|(_, value)| value)
    }
}
