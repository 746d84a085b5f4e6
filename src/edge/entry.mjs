// The Worker's entry: reads a request, lets the Wasm side decide, forwards, tells the Wasm side how it went.
//
// Forwarding stands here, not in Rust, for two reasons: the path of every request crosses between JavaScript and Wasm
// twice and no more, and a failure of the Wasm side can still be answered, by passing the request on. No decision
// about a request is made here.

import { consoleAnswer } from "./console.mjs";
import { BEFORE_ANSWER, NOW, carryOut } from "./flush.mjs";
import { about } from "./log.mjs";
import { polished } from "./polish.mjs";
import { Fleet, Gateway, Shard } from "./index.js";

export { Fleet, Shard };

// What `Gateway.begin` answers besides a token: the request waits for a decision, or is answered here …
const DECIDE = -1;
const ANSWER = -2;
// … or it is to be asked again: with the policy loaded, with the body read, with the keys of an issuer fetched.
const UNLOADED = -3;
const BODY = -4;
const KEYS = -16;
// Flags beside a token.
const STRIP = 1;
const REQUEST_BODY = 2;
const RESPONSE_BODY = 4;
const SYNCHRONOUS = 8;
const FLAG_BITS = 4;

// What was read from the policy once: names of the headers to read, origin, timeout, headers to strip.
let setup;

export default {
  async fetch(request, env, context) {
    const state = { sent: false, response: undefined };
    try {
      return await exchange(request, env, context, state);
    } catch (error) {
      return about(request, () => survive(error, request, env, state));
    }
  },
};

function configured(env) {
  const read = JSON.parse(Gateway.setup(env));
  // Where the value of each header goes; one that is read twice has twins.
  const places = new Map();
  const twins = [];
  for (const [at, name] of read.names.entries()) {
    if (places.has(name)) twins.push([at, places.get(name)]);
    else places.set(name, at);
  }
  return { ...read, places, twins, none: read.names.map(() => "") };
}

async function exchange(request, env, context, state) {
  setup ??= configured(env);
  let text = describe(request);
  let code = Gateway.begin(text, Date.now(), undefined, false);
  let first; // the start of the body, where the session key may stand in it
  for (let turn = 0; code <= UNLOADED && turn < 6; turn++) {
    if (code === UNLOADED) {
      setup = configured(env);
      text = describe(request);
    } else if (code === BODY) {
      first = await startOf(request, setup.body_ms);
    } else {
      await learn(KEYS - code, env);
    }
    code = Gateway.begin(text, Date.now(), first?.bytes, first?.cut ?? false);
  }
  // Whatever is still missing: it is decided without.
  if (code <= UNLOADED) code = DECIDE;
  if (code === ANSWER) {
    const page = consoleAnswer(request, env);
    if (page) return page;
    // Samples are read as traffic would be, with the keys it would wait for; so is who signs in through Access.
    if (setup.learns && (request.method === "POST" || request.headers.has("cf-access-jwt-assertion"))) await Promise.all([...Gateway.keysDue(true)].map((issuer) => learn(issuer, env)));
    const answer = await Gateway.answer(request, text, env);
    if (answer) {
      later(env, context, Gateway.due());
      return polished(request, answer);
    }
    // No answer of its own: the configuration is refused and traffic passes unseen.
    state.sent = true;
    return forClient(await send(request, env, text, true));
  }
  if (code === DECIDE) {
    const decided = await Gateway.decide(text, first?.bytes, first?.cut ?? false, env);
    if (decided instanceof Response) {
      later(env, context, Gateway.due());
      return decided;
    }
    code = decided;
  }
  const token = code >> FLAG_BITS;
  const body = code & REQUEST_BODY ? startOf(request, setup.timeout) : undefined;
  let response;
  try {
    state.sent = true;
    const answered = send(request, env, text, code & STRIP, token);
    response = await (setup.timeout && isTimed(request) ? guard(context, answered, setup.timeout) : answered);
  } catch (error) {
    response = about(request, () => Gateway.fail(token, String(error?.message ?? error), error === TIMEOUT, Date.now()));
    later(env, context, Gateway.due());
    return response;
  }
  state.response = response;
  const now = Date.now();
  const { headers, status } = response;
  const length = headers.get("content-length");
  const announced = length === null ? -1 : +length;
  const told = tell(headers);
  const telling = code & RESPONSE_BODY && status < 400 && response.body && !response.webSocket && isRead(headers);
  // A fresh isolate does not know yet what requests are compared with: the outcome waits, its client does not.
  const early = !(code & SYNCHRONOUS) && Gateway.documentsMissing();
  if (body || telling || early) {
    const copy = telling ? response.clone() : undefined;
    // Where the outcome has to be there before the answer, the answer does not wait long for bodies either.
    const patience = code & SYNCHRONOUS ? INLINE_MS : TOLD_MS;
    const finished = finishWithBodies(token, status, announced, now, told, body, copy, patience, env, context);
    if (!(code & SYNCHRONOUS)) {
      context.waitUntil(finished);
      return forClient(response);
    }
    await finished;
    return released(token, response);
  }
  const due = Gateway.finish(token, status, announced, now, told);
  if (due === BEFORE_ANSWER) {
    if (!(await carryOut(env, due))) later(env, context, NOW);
    return released(token, response);
  }
  later(env, context, due);
  return forClient(response);
}

// The answer of a request whose outcome was waited for: another, where that outcome brought about a verdict.
function released(token, response) {
  const withheld = Gateway.withheld(token);
  if (!withheld) return forClient(response);
  response.body?.cancel().catch(() => {});
  return withheld;
}

// How long the start of a body is waited for once there is an answer: a stream of events may stay open for hours.
const TOLD_MS = 10_000;
const INLINE_MS = 500;

// The outcome where bodies say who is calling: recorded when they are read, while the client has its answer already.
async function finishWithBodies(token, status, length, now, told, body, copy, patience, env, context) {
  const response = copy && startOf(copy, patience);
  const [asked, answered] = [body && (await within(body, patience)), await response];
  if (patience === TOLD_MS && Gateway.documentsMissing()) await documented(env);
  const due = Gateway.finishWithBodies(
    token, status, length, now, told, asked?.bytes, asked?.cut ?? false, answered?.bytes, answered?.cut ?? false,
  );
  if (due && !(await carryOut(env, due))) later(env, context, NOW);
}

// What is read of a request's body by then; nothing, where its client is slower than that.
async function within(body, patience) {
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, patience, { bytes: new Uint8Array(0), cut: true })));
  const read = await Promise.race([body, late]);
  clearTimeout(timer);
  return read;
}

// Whether the body of a response is of a kind that selectors read: no stream of events, picture or archive.
function isRead(headers) {
  const type = headers.get("content-type") ?? "";
  return type === "" || /json|xml|urlencoded|^text\/(?!event-stream)/i.test(type);
}

// The start of a body without taking it from whoever reads it whole; what is too slow counts as cut.
function startOf(message, timeout) {
  if (!message.body) return Promise.resolve({ bytes: new Uint8Array(0), cut: false });
  return start(message instanceof Request ? message.clone().body : message.body, setup.body, timeout);
}

// At most `most` bytes of a body within `timeout` ms (0: as long as it takes); what is not read is let go.
async function start(body, most, timeout) {
  const parts = [];
  let size = 0;
  let cut = false;
  const reader = body?.getReader();
  let timer;
  const late = timeout > 0 ? new Promise((resolve) => (timer = setTimeout(resolve, timeout, LATE))) : undefined;
  try {
    while (reader) {
      const read = reader.read();
      const { done, value } = await (late ? Promise.race([read, late]) : read);
      if (done) break;
      const room = value === undefined ? 0 : most - size;
      cut = value === undefined || value.length > room;
      if (room > 0) parts.push(cut ? value.subarray(0, room) : value);
      size += Math.min(value?.length ?? 0, room);
      if (cut) break;
    }
  } catch {
    cut = true; // the sender went away
  } finally {
    clearTimeout(timer);
    if (cut) reader.cancel().catch(() => {});
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return { bytes, cut };
}
const LATE = { done: false, value: undefined };

// What the Wasm side reads of a response, in one string; empty where there is nothing.
function tell(headers) {
  const event = headers.get("session-event");
  const cookies = headers.has("set-cookie");
  const ends = headers.has("deprecation") || headers.has("sunset");
  if (event === null && !cookies && !ends && setup.told.length === 0) return "";
  let text = (event ?? "") + "\n";
  text += ends ? (headers.get("deprecation") ?? "") + "\n" + (headers.get("sunset") ?? "") : "\n";
  for (const name of setup.told) text += "\n" + (headers.get(name) ?? "");
  if (cookies) for (const cookie of headers.getSetCookie()) text += "\n" + cookie;
  return text;
}

function later(env, context, due) {
  if (!due) return;
  context.waitUntil(carryOut(env, due));
  if (setup && Gateway.documentsDue()) context.waitUntil(learnDocuments(env));
  // Keys of token issuers are renewed ahead of their time, and nobody waits for it.
  if (setup?.learns) for (const issuer of Gateway.keysDue(false)) context.waitUntil(learn(issuer, env));
}

// Fetches the keys of a token issuer. Redirects are not followed: keys come from where the configuration says.
const LEARN_MS = 2_000;
async function learn(issuer, env) {
  try {
    const { url, asset, most } = JSON.parse(Gateway.keySource(issuer));
    const signal = AbortSignal.timeout(LEARN_MS);
    if (asset && !env.ASSETS) throw new Error("there is no ASSETS binding");
    const answer = asset
      ? await env.ASSETS.fetch("https://assets.invalid" + url, { signal })
      : await fetch(url, { signal, redirect: "manual", headers: { accept: "application/json" } });
    if (answer.status !== 200) {
      answer.body?.cancel().catch(() => {});
      throw new Error(`answered ${answer.status}`);
    }
    const { bytes, cut } = await start(answer.body, most, LEARN_MS);
    if (cut) throw new Error(`is longer than ${most} bytes, or slow`);
    Gateway.learned(issuer, new TextDecoder().decode(bytes), answer.headers.get("cache-control") ?? "");
  } catch (error) {
    Gateway.unlearned(issuer, String(error?.message ?? error));
  }
}

// Learns what requests are compared with: documents among the assets, and what the fleet keeps.
const DOCUMENT_BYTES = 4 * 1024 * 1024;
async function learnDocuments(env) {
  const paths = JSON.parse(Gateway.documentAssets());
  const texts = await Promise.all(paths.map(async (path) => {
    try {
      if (!env.ASSETS) throw new Error("there is no ASSETS binding");
      const answer = await env.ASSETS.fetch("https://assets.invalid" + path, { signal: AbortSignal.timeout(LEARN_MS) });
      if (answer.status !== 200) throw new Error(`answered ${answer.status}`);
      const { bytes, cut } = await start(answer.body, DOCUMENT_BYTES, LEARN_MS);
      if (cut) throw new Error(`is longer than ${DOCUMENT_BYTES} bytes, or slow`);
      return new TextDecoder().decode(bytes);
    } catch (error) {
      return "!" + path + ": " + String(error?.message ?? error);
    }
  }));
  await Gateway.learnDocuments(env, texts);
}

// Waits for documents: one request fetches them, the others look now and then, each on its own time.
let documentsAskedFor = 0;
async function documented(env) {
  if (Date.now() - documentsAskedFor > LEARN_MS) {
    documentsAskedFor = Date.now();
    await learnDocuments(env).catch((error) => console.error("documents were not to be had:", error?.stack ?? error));
  }
  for (let turn = 0; turn < 40 && Gateway.documentsMissing(); turn++) await new Promise((resolve) => setTimeout(resolve, 50));
}

// Everything the Wasm side reads of a request in one string. Fields end with a line feed, which neither a method, a
// URL nor a header value can hold.
function describe(request) {
  const { headers, cf, method } = request;
  let text = method + "\n" + settled(request.url) + "\n";
  if (cf) {
    text += (cf.country ?? "") + "\n" + (cf.asn ?? "") + "\n" + (cf.colo ?? "") + "\n";
    text += (cf.botManagement?.ja4 ?? "") + "\n";
  } else {
    text += "\n\n\n\n";
  }
  const preflight = method === "OPTIONS" && headers.has("origin") && headers.has("access-control-request-method");
  text += (preflight ? "1" : "") + "\n";
  text += (method === "GET" ? "" : (headers.get("content-length") ?? "")) + "\n";
  let others = "";
  let ours = "";
  // All are gone through anyway; to ask for each by its name as well would take as long again.
  const values = setup.none.slice();
  headers.forEach((value, name) => {
    const place = setup.places.get(name);
    const isOur = name.startsWith("session") && isOurs(name);
    if (isOur) ours = "1";
    if (place !== undefined) values[place] = value;
    else if (!isOur && setup.inspects && !isUninspected(name)) others += name + ": " + value + "\n";
  });
  for (const [at, first] of setup.twins) values[at] = values[first];
  text += ours + "\n";
  for (const value of values) text += value + "\n";
  return text + others;
}

// Headers that no program reads as text of a client's choice.
function isUninspected(name) {
  return UNINSPECTED.has(name) || name.startsWith("cf-") || name.startsWith("x-dev-");
}
const UNINSPECTED = new Set(["accept-encoding", "connection", "content-length", "host"]);

// The URL with its path as the origin will get it: a platform that hands paths over unresolved resolves them when the
// request is sent, and what is judged must be what is sent.
function settled(url) {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  const query = url.indexOf("?", start);
  const path = query < 0 ? url.slice(start) : url.slice(start, query);
  if (start < 0 || !UNSETTLED.test(path)) return url;
  try {
    return url.slice(0, start) + new URL("http://x" + path).pathname + (query < 0 ? "" : url.slice(query));
  } catch {
    return url;
  }
}
const UNSETTLED = /\\|\/(?:\.|%2e)/i;

// Sends the request on, its body unread and redirects left to the client.
function send(request, env, text, strip, token, using = setup) {
  const judged = text.slice(request.method.length + 1, text.indexOf("\n", request.method.length + 1));
  let url;
  if (using.origin) {
    // The target is appended, never parsed: nothing in it can become an authority.
    url = using.origin + judged.slice(judged.indexOf("/", judged.indexOf("://") + 3));
  } else if (judged !== request.url) {
    url = judged;
  }
  const signs = using.signs && token !== undefined;
  if (strip || signs) {
    request = new Request(url ?? request.url, request);
    for (const name of [...request.headers.keys()]) if (isOurs(name, using)) request.headers.delete(name);
    url = undefined;
  }
  if (signs) {
    const { headers } = request;
    const own = [headers.get("signature-input") ?? "", headers.get("signature") ?? ""];
    const context = Gateway.context(token, request.url, ...own)?.split("\n");
    if (context) {
      for (const [at, name] of ["session-context", "signature-input", "signature"].entries()) headers.set(name, context[at]);
    }
  }
  const origin = using.origin ? undefined : env.ORIGIN;
  if (origin) return url ? origin.fetch(url, request) : origin.fetch(request);
  return url ? fetch(url, request) : fetch(request);
}

// What only this product may say to the origin, and what plays the network in development. Some servers fold `_` and `-`
// into one.
function isOurs(name, using = setup) {
  const folded = name.replaceAll("_", "-");
  return folded.startsWith("session-context") || using.strip.includes(folded);
}

// Requests with a large body, or one of unknown length, are not timed: an origin may answer only after all of it.
const TIMED_BYTES = 1024 * 1024;
function isTimed(request) {
  const { method } = request;
  if (method === "GET" || method === "HEAD" || method === "DELETE" || method === "OPTIONS") return true;
  const length = request.headers.get("content-length");
  return length !== null && +length <= TIMED_BYTES;
}

// The response without what the origin tells only us; body, status, cookies and WebSocket are kept.
function forClient(response) {
  if (!response.headers.has("session-event")) return response;
  const copy = new Response(response.body, response);
  copy.headers.delete("session-event");
  return copy;
}

// Timeouts. A timer for each request would cost more than all the rest done here; instead one request at a time
// watches over all that are waiting, for a few seconds, and then hands over. It does so in the background, which keeps
// its own connection to the origin for as long at the most when its client hangs up.
const TIMEOUT = new Error("timeout");
const TAKE_OVER = Symbol("take over");
const WATCH_MS = 3_000;
const FORGET_MS = 60_000; // a request that died is still in the list; its turn never comes
const waiting = new Set();
let watchedUntil = 0;

async function guard(context, answered, timeout) {
  const tick = Math.min(1_000, Math.max(10, timeout / 4));
  const entry = { due: Date.now() + timeout };
  let background = true;
  let watching = false;
  entry.signal = new Promise((resolve) => (entry.wake = resolve));
  waiting.add(entry);
  try {
    for (;;) {
      if (Date.now() >= watchedUntil) {
        const watched = watch(tick);
        // Only the first watch outlives its request: a second would keep a request alive that nobody waits for.
        if (background) context.waitUntil(watched);
        else watching = true;
      }
      const first = await Promise.race([answered, entry.signal]);
      if (first === TIMEOUT) throw TIMEOUT;
      if (first !== TAKE_OVER) return first;
      entry.signal = new Promise((resolve) => (entry.wake = resolve));
      background = false;
    }
  } finally {
    waiting.delete(entry);
    if (watching) handOver();
  }
}

async function watch(tick) {
  const end = Date.now() + WATCH_MS;
  let now;
  do {
    // If this request dies, its watch is taken over soon after.
    watchedUntil = Date.now() + 5 * tick;
    await new Promise((resolve) => setTimeout(resolve, tick));
    now = Date.now();
    for (const entry of waiting) {
      if (entry.due <= now) entry.wake(TIMEOUT);
      if (entry.due + FORGET_MS <= now) waiting.delete(entry);
    }
  } while (waiting.size > 0 && now < end);
  handOver();
}

// Everyone who still lives is asked; the first to wake takes over and the others see that it has.
function handOver() {
  watchedUntil = 0;
  for (const entry of waiting) entry.wake(TAKE_OVER);
}

// The Wasm side failed. It is started anew, and this request goes on: with its answer if it has one, to the origin if
// it was not sent, and with an error only if it was sent and its answer is lost.
function survive(error, request, env, state) {
  console.error("incident", error?.stack ?? error);
  try {
    if (error instanceof WebAssembly.RuntimeError) {
      reportError(error); // tells the shim, which starts the Wasm side anew at the next construction
      new Gateway();
    }
    Gateway.incident();
  } catch (again) {
    console.error("incident: cannot start anew", again?.stack ?? again);
  }
  if (state.response) return forClient(state.response);
  const closed = env.ON_ERROR === "closed";
  if (state.sent || closed) return new Response(null, { status: closed ? 503 : 502 });
  // What is meant for the API carries its token, and is nothing for the origin.
  const { host, pathname } = new URL(request.url);
  const admin = typeof env.ADMIN_HOST === "string" && env.ADMIN_HOST.trim().toLowerCase();
  if (/^\/_throughline(\/|$)/.test(pathname) || (admin && host.toLowerCase() === admin)) return new Response(null, { status: 503 });
  const origin = typeof env.ORIGIN_URL === "string" ? env.ORIGIN_URL.trim().replace(/\/+$/, "") : undefined;
  const using = { origin: origin || undefined, strip: ["session-event"], signs: false };
  return send(request, env, request.method + "\n" + settled(request.url) + "\n", true, undefined, using).then(forClient);
}
