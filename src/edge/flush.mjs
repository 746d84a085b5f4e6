// Carries out what recording calls for: waits, sends what the buffers hand out to its shards, and tells them the answers.
//
// The waiting stands here, not in Rust: all promises that Rust waits for go on in turns of one queue, and an object that
// ends in the middle of such a turn takes along whatever else was in it, also the flushes of requests that live.

import { call, sleep } from "./glue.js";
import { Gateway } from "./index.js";

// What is due, in rising urgency: nothing, a look whether another request did its part, a flush after a while, one now,
// one before the answer goes out.
const WATCH = 1;
const LATER = 2;
export const NOW = 3;
export const BEFORE_ANSWER = 4;

// How long the shard may take to a flush.
const FLUSH_TIMEOUT_MS = 10_000;
// How long one request goes on waiting for shards in trouble; after that the next flush takes it along. What runs on in
// the background of a request is ended by the platform after 30 s.
const PATIENCE_MS = 20_000;

/** Does what is due; true if everything that was to be sent is confirmed. */
export async function carryOut(env, due) {
  if (due === BEFORE_ANSWER) return flush(env, true);
  if (due === WATCH) {
    await sleep(Gateway.watchMs());
    if (!Gateway.watched()) return true;
  } else if (due === LATER) {
    await sleep(Gateway.flushMs());
    Gateway.timerOver();
  }
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    const confirmed = await flush(env, false);
    const wait = Gateway.keepVigil(until);
    if (wait < 0) return confirmed;
    await sleep(wait);
    Gateway.vigilOver();
  }
}

// Sends every batch that may be sent, side by side, and then what the answers are to tell other shards.
async function flush(env, urgent) {
  let confirmed = true;
  for (let turn = 0; turn < 2 && confirmed; turn++) {
    const sent = await Promise.all(Gateway.sendable(urgent).map((parcel) => send(env, parcel)));
    confirmed = sent.every((each) => each !== undefined);
    if (!sent.includes(true)) break;
  }
  return confirmed && Gateway.isIdle();
}

// Whether the answer has something to tell other shards; undefined where there was none.
async function send(env, [isolate, shard, sequence, name, body]) {
  try {
    const answer = await call(env.SHARD.getByName(name), "/flush", body, FLUSH_TIMEOUT_MS);
    return Gateway.flushed(isolate, shard, sequence, answer);
  } catch (error) {
    Gateway.unflushed(isolate, shard, sequence, error);
    return undefined;
  }
}
