// The parts of the console that need no document: streams, what waits while one is paused, replays, filters, keys.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { asked, ENDPOINT_FILTERS, FINDING_FILTERS, standing, unlabelled } from '../../console/src/filters.js';
import { meaning, PLACES } from '../../console/src/keys.js';
import { EMPTY, MOST, heard, resumed, together } from '../../console/src/live.js';
import { NOTHING, orderFrom, plusAnswer, replayed } from '../../console/src/replaying.js';
import { messages } from '../../console/src/sse.js';

describe('a stream of server-sent events', () => {
  const TEXT = 'retry: 2000\nid: a\nevent: open\ndata: {}\n\n: alive\n\nevent: event\ndata: {"path":"/ä: x"}\n\ndata: 1\ndata: 2\n\nid: b\nevent: position\ndata: {}\n\n';
  const WHOLE = [
    { event: 'open', data: '{}', id: 'a' }, { event: 'event', data: '{"path":"/ä: x"}', id: null },
    { event: 'message', data: '1\n2', id: null }, { event: 'position', data: '{}', id: 'b' },
  ];

  test('is read the same however it is cut', () => {
    for (let size = 1; size <= TEXT.length; size += 1) {
      const read = messages();
      const found = [];
      for (let from = 0; from < TEXT.length; from += size) found.push(...read(TEXT.slice(from, from + size)));
      assert.deepEqual(found, WHOLE, `in pieces of ${size}`);
    }
  });

  test('whose message does not end is given up', () => {
    const read = messages();
    assert.deepEqual(read(`data: ${'x'.repeat((1 << 20) - 6)}`), []);
    assert.throws(() => read('x'), /does not end/);
  });
});

describe('a list that streams', () => {
  const event = (n) => ({ id: `e${n}` });
  const ids = (list) => list.map(({ id }) => id);

  test('has the newest first, each once, before what is stored', () => {
    const state = [1, 2].reduce((old, n) => heard(old, event(n), false), EMPTY);
    assert.deepEqual(ids(together(state, [event(2), event(0)])), ['e2', 'e1', 'e0']);
  });

  test('keeps what comes while it is paused, and shows it afterwards', () => {
    const paused = [2, 3].reduce((old, n) => heard(old, event(n), true), heard(EMPTY, event(1), false));
    assert.deepEqual([ids(together(paused, [])), paused.waiting.length], [['e1'], 2]);
    assert.deepEqual(ids(together(resumed(paused), [])), ['e3', 'e2', 'e1']);
  });

  for (const isPaused of [false, true]) {
    test(`is bounded${isPaused ? ' while it is paused' : ''}, and ends where something is missing`, () => {
      let state = EMPTY;
      for (let n = 0; n < MOST; n += 1) state = heard(state, event(n), isPaused);
      assert.deepEqual([state.cut, together(resumed(state), [event('old')]).length], [false, MOST + 1]);
      state = resumed(heard(state, event(MOST), isPaused));
      assert.deepEqual([state.cut, together(state, [event('old')]).length, state.shown[0].id], [true, MOST, `e${MOST}`]);
    });
  }
});

describe('a replay', () => {
  const answer = (detector, next = null, more = {}) => ({
    sessions: 2, requests: 10, findings: { added: 1, gone: 0, same: 3, by_detector: [{ detector, added: 1, gone: 0, same: 3, sessions: [detector, 'both'] }] },
    stopped: { now: { throttled: 0, blocked: 1 }, then: { throttled: 2, blocked: 3 } }, grouping: null, parameters: null, next, partial: false, ...more,
  });

  test('adds up its answers, page by page', async () => {
    const asked = [];
    const api = { post: async (path, order) => { asked.push(order.cursor ?? null); return order.cursor ? answer('sqli', null, { partial: true }) : answer('xss', 'more'); } };
    const sums = [];
    await replayed(api, { policy: {} }, new AbortController().signal, (sum) => sums.push(sum));
    assert.deepEqual(asked, [null, 'more']);
    const { detectors, ...sum } = sums.at(-1);
    assert.deepEqual(sum, { sessions: 4, requests: 20, added: 2, gone: 0, same: 6, now: { throttled: 0, blocked: 2 }, then: { throttled: 4, blocked: 6 }, grouping: null, parameters: null, partial: true });
    assert.deepEqual(detectors.map(({ detector }) => detector), ['sqli', 'xss']);
    assert.equal(sums.length, 2);
  });

  test('names some sessions of a detector, each once', () => {
    const sum = [1, 2, 3].reduce((old, n) => plusAnswer(old, answer('xss', null, { findings: { added: 1, gone: 0, same: 0, by_detector: [
      { detector: 'xss', added: 1, gone: 0, same: 0, sessions: ['same', `${n}a`, `${n}b`] }] } })), NOTHING);
    assert.deepEqual(sum.detectors[0].sessions, ['same', '1a', '1b', '2a', '2b']);
  });

  test('says what is wrong with what was pasted', () => {
    assert.deepEqual(orderFrom('{"WATCHES":[]}', null, '-1h'), { policy: { WATCHES: [] }, from: '-1h' });
    const har = '{"log":{"version":"1.2","entries":[{"request":{}}]}}';
    assert.deepEqual(orderFrom('{"WATCHES":[]}', har, '-1h'), { policy: { WATCHES: [] }, har: { log: { entries: [{ request: {} }] } } });
    for (const [sections, file, why] of [['[]', null, /in an object/], ['x', null, /The sections are no JSON/], ['', null, /no JSON/],
      ['{}', 'x', /The file is no JSON/], ['{}', '{}', /no HAR/], ['{}', 'null', /no HAR/]]) {
      assert.throws(() => orderFrom(sections, file, ''), why, `${sections} ${file}`);
    }
  });
});

test('what nobody labelled is two filters that go together', () => {
  const only = unlabelled('detector=sqli', true);
  assert.equal(asked(only, FINDING_FILTERS, []), 'detector=sqli&label%21=true_positive&label%21=false_positive');
  assert.equal(standing(only, 'label', 'false_positive'), 'not');
  assert.equal(unlabelled(only, false), 'detector=sqli');
});

test('a view asks for nothing but what it knows', () => {
  assert.equal(asked('inventory=shadow&min_risk=30&sort=risk&token=x&country=DE', ENDPOINT_FILTERS, ['from', 'sort']), 'inventory=shadow&min_risk=30&sort=risk');
});

test('letters go to views behind g, and press buttons without it', () => {
  for (const [key, to] of Object.entries(PLACES)) assert.deepEqual(meaning(key, 'g'), { go: to }, key);
  assert.deepEqual(['b', 'f', 'p', 't'].map((key) => meaning(key, '')), ['b', 'f', 'p', 't'].map((press) => ({ press })));
  assert.deepEqual([meaning('r', ''), meaning('x', '')], ['refresh', null]);
});
