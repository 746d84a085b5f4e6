//! The exchanges whose outcome is awaited, by token; bounded, because clients hang up without a word.

use std::collections::{HashMap, VecDeque};

use super::exchange::Exchange;

/// How often requests without an answer are looked for, at the most, ms.
const SWEEP_EVERY_MS: u64 = 1_000;

/// Tokens fit beside the flags in the number `entry.mjs` is answered.
const TOKEN_MASK: u32 = (1 << 25) - 1;

/// Requests whose outcome is awaited, by token. A token is not given twice within 30 million requests.
pub struct Exchanges {
    awaited: HashMap<u32, Exchange>,
    /// Tokens in the order they were given; those taken meanwhile are skipped.
    order: VecDeque<u32>,
    bytes: usize,
    /// Exchanges that had to make room; they are recorded as abandoned.
    crowded_out: Vec<Exchange>,
    next: u32,
    swept_ms: u64,
}

/// Requests awaited at one time, and bytes of theirs held: beyond either, those that wait longest are given up.
const MAX_AWAITED: usize = 10_000;
const MAX_AWAITED_BYTES: usize = 24 * 1024 * 1024;

impl Exchanges {
    /// Nothing is awaited yet. Tokens start somewhere else in every isolate: a request from before a failure must not
    /// find an exchange from after it.
    pub fn new(random: u64) -> Self {
        let next = (random & u64::from(TOKEN_MASK)) as u32;
        let (awaited, order, crowded_out) = (HashMap::new(), VecDeque::new(), Vec::new());
        Self { awaited, order, bytes: 0, crowded_out, next, swept_ms: 0 }
    }

    /// Keeps an exchange and names it.
    pub fn keep(&mut self, exchange: Exchange) -> u32 {
        self.next = (self.next + 1) & TOKEN_MASK;
        self.bytes += exchange.bytes();
        self.awaited.insert(self.next, exchange);
        self.order.push_back(self.next);
        if self.order.len() > 4 * MAX_AWAITED {
            self.order.retain(|token| self.awaited.contains_key(token));
        }
        while (self.awaited.len() > MAX_AWAITED || self.bytes > MAX_AWAITED_BYTES)
            && let Some(oldest) = self.order.pop_front()
        {
            let given_up = if oldest == self.next { None } else { self.take(oldest) };
            self.crowded_out.extend(given_up);
        }
        self.next
    }

    /// The exchange of this token, which goes on being awaited.
    pub fn get(&self, token: u32) -> Option<&Exchange> {
        self.awaited.get(&token)
    }

    /// Gives an exchange back, once.
    pub fn take(&mut self, token: u32) -> Option<Exchange> {
        let exchange = self.awaited.remove(&token)?;
        self.bytes = self.bytes.saturating_sub(exchange.bytes());
        Some(exchange)
    }

    /// Takes out the exchanges that began before `horizon_ms`: their requests died without a word.
    pub fn abandoned(&mut self, now_ms: u64, horizon_ms: u64) -> Vec<Exchange> {
        if !self.crowded_out.is_empty() {
            return core::mem::take(&mut self.crowded_out);
        }
        if now_ms.saturating_sub(self.swept_ms) < SWEEP_EVERY_MS {
            return Vec::new();
        }
        self.swept_ms = now_ms;
        let old = self.awaited.iter().filter(|(_, exchange)| exchange.started_ms < horizon_ms);
        let old: Vec<u32> = old.map(|(token, _)| *token).collect();
        old.into_iter().filter_map(|token| self.take(token)).collect()
    }
}
