//! Time. On the platform it stands still between I/O; in development it can be played from a header.

use core::cell::Cell;

thread_local! {
    /// Highest development time seen by this isolate, epoch ms.
    static PLAYED: Cell<u64> = const { Cell::new(0) };
}

/// The platform's time, epoch ms.
pub fn real_now_ms() -> u64 {
    // Epoch ms are far below 2⁵³.
    js_sys::Date::now() as u64
}

/// Takes a development time in; the highest seen is what the isolate's clock shows from now on.
pub fn play(ms: u64) {
    PLAYED.with(|played| played.set(played.get().max(ms)));
}

/// Played time where a development clock runs and has been set, else the platform's.
pub fn now_ms(development_clock: bool) -> u64 {
    let played = PLAYED.with(Cell::get);
    if development_clock && played > 0 { played } else { real_now_ms() }
}
