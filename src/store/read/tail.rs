//! What came in after a journal position, for those who look on.

use super::{Sql, Store};
use crate::query::{EventAnswer, Filter, Tailed};

/// Events one answer holds, give or take those of one flush: the next answer goes on.
const MOST: usize = 500;

impl<S: Sql> Store<S> {
    /// What was journaled after `since` and fits the filter.
    pub fn tail_of(&self, filter: &Filter, since: Option<u64>) -> Tailed {
        let end = self.next_seq.saturating_sub(1);
        // A position beyond the end is one of another journal: what came meanwhile is not known.
        let Some(since) = since.filter(|since| *since <= end) else {
            return Tailed { position: end, folded: since.is_some(), events: Vec::new() };
        };
        let tags = self.settings.business.tags();
        let mut filter = filter.clone();
        filter.tags = tags.clone();
        // What one part of the sessions has folded is not in the journal's events any more.
        let mut tailed = Tailed { folded: self.marks.folded_beyond(since), ..Tailed::default() };
        tailed.position = since;
        let mut last = since;
        for (seq, _, event) in self.unfolded().filter(|(seq, ..)| *seq > since) {
            if seq != last && tailed.events.len() >= MOST {
                tailed.position = last;
                return tailed;
            }
            last = seq;
            self.with_session(event, |event, findings| {
                let detected = |detector| findings.iter().any(|f| f.request == event.id && f.detector == detector);
                if filter.fits_event(event, detected) {
                    tailed.events.push(EventAnswer::new(event, tags, findings.iter()));
                }
            });
        }
        tailed.position = end;
        tailed
    }
}
