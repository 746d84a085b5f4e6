//! The formats that outlive a release, pinned byte for byte.
//!
//! If one of these fails, objects and isolates one release apart can no longer talk, or stored data can no longer be
//! read. Do not change the bytes: add a version, and keep reading this one.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod support;

use support::events::{START_MS, event, flush, miss, session};
use throughline::inventory::{Inventory, Tally};
use throughline::rollup::{Cell, Delta, Group, Lost, Rollup};
use throughline::session::{
    Arrival, BATCH_VERSION, Batch, BatchBuilder, DecodeError, Detector, Event, Evidence, Finding, Issue, Link, Marks,
    Reason, Risk, SessionId, Severity, Stop,
};
use throughline::verdict::{Action, Block, BlockChange, BlockChanges, BlockNews, Subject, Verdict};
use throughline::wire::{self, Ask, AskReply, Flush, FlushReply, KnownSession, Place, Sync, SyncReply};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn batch() -> Vec<u8> {
    let mut builder = BatchBuilder::default();
    builder.push(&event(1, 0, 7));
    builder.push(&miss(2, 5, 8, "/gone"));
    builder.push(&moved());
    builder.stop(stop());
    builder.issue(issue());
    builder.issued(session(3));
    builder.take().encode()
}

/// An event that got its id in session 1 and was moved to the one it started.
fn moved() -> Event<'static> {
    let marks = Marks::ENDED;
    Event {
        id: event(1, 9, 9).id,
        user: "alice",
        roles: "admin",
        principal: 77,
        feedback: "logout",
        marks,
        ..event(3, 9, 9)
    }
}

fn issue() -> Issue {
    Issue {
        from: session(1),
        to: session(3),
        reason: Reason::Login,
        time_ms: START_MS,
        request: event(1, 9, 9).id,
        principal: 77,
        local: true,
    }
}

fn finding() -> Finding {
    Finding {
        request: event(1, 0, 7).id,
        session: session(1),
        time_ms: START_MS,
        detector: Detector::ForcedBrowsing,
        severity: Severity::High,
        confidence: 0.5,
        risk_added: 50,
        value: 10.0,
        baseline: 10.0,
        message: "m".to_owned(),
        place: String::new(),
        evidence: vec![Evidence::of(&event(1, 0, 7))],
        reasons: Vec::new(),
        action: Action::Tag,
        would: Action::Tag,
    }
}

fn stop() -> Stop {
    Stop { finding: finding(), for_ms: 600_000 }
}

fn block() -> Block {
    Block {
        subject: Subject::Ip("203.0.113.7".parse().unwrap()),
        action: Action::Block,
        created_ms: START_MS,
        until_ms: START_MS + 1_000,
        reason: "r".to_owned(),
        by: "admin".to_owned(),
    }
}

fn delta() -> Delta {
    let mut rollup = Rollup::default();
    let cell = Cell { requests: 2, attacks: 1, duration_ms: 300, response_bytes: 4_000 };
    rollup.add("GET shop.test/", Group { country: *b"DE", class: 2 }, &cell);
    let mut tally = Tally::default();
    tally.see(&Event { inventory: Some(Inventory::Zombie), ..event(1, 0, 7) }, 5, 6);
    Delta {
        shard: "s".to_owned(),
        installed_ms: START_MS,
        from: 3,
        upto: 300,
        minutes: [(START_MS / 60_000, rollup)].into_iter().collect(),
        endpoints: [("GET shop.test/".into(), tally)].into(),
        findings: vec![finding()],
        risks: vec![50],
        lost: Lost { findings: 1, until_ms: 2 },
    }
}

#[test]
fn names_of_objects_never_change() {
    // An object under another name is another object: everything it stored would be out of reach.
    assert_eq!(Place { layout: 1, index: 0 }.name(), "shard-1-0");
    assert_eq!(Place { layout: 64, index: 41 }.name(), "shard-64-41");
    assert_eq!(Place::all(2).map(Place::name).collect::<Vec<_>>(), ["shard-2-0", "shard-2-1"]);
    assert_eq!(wire::FLEET_NAME, "fleet");
}

#[test]
fn a_batch_keeps_its_bytes() {
    assert_eq!(hex(&batch()), include_str!("golden/batch.hex").trim());
}

#[test]
fn traffic_messages_keep_their_bytes() {
    let flush = Flush { batch: vec![1, 2, 3], ..flush(5, 6, &[]) };
    assert_eq!(hex(&wire::encode(&flush)), include_str!("golden/flush.hex").trim());
    let ask = Ask {
        session: session(1),
        ip: "2001:db8::1".parse().ok(),
        now_ms: START_MS,
        blocks_version: 9,
        former: Some(session(2)),
        attempt: vec![1, 2],
        ..Ask::default()
    };
    assert_eq!(hex(&wire::encode(&ask)), include_str!("golden/ask.hex").trim());
    let changes =
        BlockChanges::Delta(vec![BlockChange::Set(block()), BlockChange::Lifted(Subject::Session(session(1)))]);
    let blocks = BlockNews { version: 10, changes };
    let known = KnownSession {
        session: session(1),
        risk: Risk::default(),
        user: "alice".to_owned(),
        findings: vec![Detector::SessionRotation],
    };
    let reply = AskReply {
        verdict: Verdict { action: Action::Throttle, until_ms: 4 },
        blocks: blocks.clone(),
        installed_ms: START_MS,
        proven: true,
        known: Some(known.clone()),
        stops: vec![stop()],
        normal: vec![5],
    };
    assert_eq!(hex(&wire::encode(&reply)), include_str!("golden/ask_reply.hex").trim());
    assert_eq!(wire::decode(&wire::encode(&reply)), Some(reply));
    let link = Link {
        session: session(1),
        reason: Reason::Refresh,
        time_ms: START_MS,
        request: event(1, 0, 7).id,
        principal: 3,
        risk: Risk::default(),
    };
    let reply = FlushReply {
        blocks,
        installed_ms: START_MS,
        proven: vec![session(3)],
        known: vec![known],
        arrivals: vec![Arrival { to: session(2), link }],
        rotating: vec![("192.0.2.1".parse().unwrap(), START_MS)],
        inventory: 8,
        normal: vec![5],
    };
    assert_eq!(hex(&wire::encode(&reply)), include_str!("golden/flush_reply.hex").trim());
    assert_eq!(wire::decode(&wire::encode(&reply)), Some(reply));
    let sync = Sync { now_ms: 1, blocks_version: 2, imposed: vec![block()], layout: Some(3), delta: Some(delta()) };
    assert_eq!(hex(&wire::encode(&sync)), include_str!("golden/sync.hex").trim());
    assert_eq!(wire::decode(&wire::encode(&sync)), Some(sync));
    let blocks = BlockNews { version: 3, changes: BlockChanges::Delta(vec![]) };
    let reply = SyncReply { blocks, position: Some(9), inventory: 4 };
    assert_eq!(hex(&wire::encode(&reply)), "03030000010904");
}

#[test]
fn a_batch_comes_back_as_it_went() {
    let decoded = Batch::decode(&batch()).unwrap();
    let events: Vec<_> = decoded.events().collect();
    assert_eq!(events, [event(1, 0, 7), miss(2, 5, 8, "/gone"), moved()]);
    assert_eq!((decoded.issues(), decoded.issued()), (&[issue()][..], &[session(3)][..]));
}

#[test]
fn no_cut_or_flipped_byte_of_a_batch_panics_or_dangles() {
    let bytes = batch();
    for end in 0..bytes.len() {
        assert!(Batch::decode(&bytes[..end]).is_err(), "cut at {end}");
    }
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            if let Ok(batch) = Batch::decode(&flipped) {
                assert_eq!(batch.events().count(), batch.len(), "byte {at} bit {bit}");
            }
        }
    }
}

#[test]
fn messages_of_another_version_are_refused() {
    let mut bytes = batch();
    bytes[0] = BATCH_VERSION + 1;
    assert_eq!(Batch::decode(&bytes), Err(DecodeError::Version(BATCH_VERSION + 1)));
    assert_eq!(Batch::decode(&[]), Err(DecodeError::Empty));
    let mut ask = wire::encode(&Ask {
        session: SessionId([0; 16]),
        ip: None,
        now_ms: 0,
        blocks_version: 0,
        former: None,
        attempt: vec![],
        ..Ask::default()
    });
    ask[0] += 1;
    assert_eq!(wire::decode::<Ask>(&ask), None);
}
