// Targets and Host headers made to lead a proxy astray: what arrives is what the platform hands over, and whatever
// is asked for, nobody but the configured origin is asked. A second server stands where each attack points.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { send } from './client.mjs';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { startOrigin } from './origin.mjs';

// These arrive byte by byte as they were sent.
const AS_SENT = [
  '/', '//', '///', '/a//b', '/a/', '/?', '/x?', '/x??', '/x?a=1&a=2&&b', '/x?a=b?c', '/a%20b?x=%zz&&y', '/%', '/%zz', '/%00', '/%0d%0aX:1',
  '/a/..%2fb', '/a/..%2Fb', '/a/..;/b', '/a;b=c', '/a%3Fb', '/a%23b', '/a%5Cb', '/%5c%5cevil', '/%252e%252e/x', '/a/...', '/a/.b',
  '//host/x', '//evil.example/x', '//user:pw@evil.example/x', '//@evil.example/', '//evil.example:80/', '/http://evil/', '/https://evil.example/x',
  '/@evil', '/:80', '/a:b@c', '/~x', '/%7Ex', '/a+b', '/a\'b', '/[x]', '/?[x]=1', '/a,b', '/a|b', '/?a=^|`{}', '/caf%C3%A9', '/caf%c3%a9',
  '/?x=\\', '/?x=/../y', '/?u=http://evil.example/', '/?a=%20+', `/${'long'.repeat(4000)}`,
];

// A fetch to ORIGIN_URL names its target by URL, so the URL standard's own resolution shows; through a binding the
// request goes on as it came. request.url itself is raw in both cases, Host header included.
const RESOLVED = [
  ['/a/../b', '/b'], ['/a/./b', '/a/b'], ['/a/%2e%2e/b', '/b'], ['/.%2E/x', '/x'], ['/a/..', '/'], ['/..', '/'], ['//..', '/'],
  ['/a\\..\\b', '/b'], ['/\\evil.example', '//evil.example'], ['//\\evil', '///evil'], ['/a"b', '/a%22b'], ['/{x}', '/%7Bx%7D'], ['/?\'', '/?%27'],
  ['/a#b', '/a'], ['/a?x#b', '/a?x'],
];

// Each points at the second server, whose port takes the place of PORT.
const ASTRAY = [
  { target: '//127.0.0.1:PORT/x' }, { target: '/\\127.0.0.1:PORT/x' }, { target: '\\\\127.0.0.1:PORT/x' }, { target: '///127.0.0.1:PORT/x' },
  { target: '/@127.0.0.1:PORT/x' }, { target: '@127.0.0.1:PORT/x' }, { target: '@127.0.0.1:PORT' }, { target: ':@127.0.0.1:PORT/' },
  { target: '127.0.0.1:PORT' }, { target: '.127.0.0.1:PORT/' }, { target: '//user@127.0.0.1:PORT/' }, { target: '/http://127.0.0.1:PORT/' },
  { target: 'http://127.0.0.1:PORT/x' }, { target: 'http://user:pw@127.0.0.1:PORT/x' }, { target: 'HTTP://127.0.0.1:PORT/x' },
  { target: '/x', host: '127.0.0.1:PORT' }, { target: '/x', host: 'a@127.0.0.1:PORT' }, { target: '/x', host: '127.0.0.1:PORT/y?' },
  { target: '/x', host: '127.0.0.1:PORT#' }, { target: '/x', host: '127.0.0.1:PORT\\' }, { target: '/x', host: '' }, { target: '*', host: '127.0.0.1:PORT' },
  { target: '/x', host: 'origin.example', also: [['Host', '127.0.0.1:PORT']] },
  { target: '/x', also: [['X-Forwarded-Host', '127.0.0.1:PORT'], ['X-Original-URL', 'http://127.0.0.1:PORT/'], ['Forwarded', 'host=127.0.0.1:PORT']] },
];

for (const originBinding of [false, true]) {
  describe(`through ${originBinding ? 'the ORIGIN binding' : 'ORIGIN_URL'}`, () => {
    let pair;
    let trap;
    before(async () => {
      trap = await startOrigin();
      pair = await startPair({ originBinding });
    });
    after(async () => {
      await pair?.stop();
      await trap?.stop();
    });

    /** What target the origin saw for one that was sent, or null when it saw none. */
    async function arrives(target) {
      pair.origin.clear();
      await pair.send({ target });
      return pair.origin.requests[0]?.target ?? null;
    }

    for (const target of AS_SENT) {
      test(`${target.slice(0, 60)} arrives as sent`, async () => { assert.equal(await arrives(target), target); });
    }

    if (!originBinding) {
      for (const [target, resolved] of RESOLVED) {
        test(`${target} arrives as ${resolved}`, async () => { assert.equal(await arrives(target), resolved); });
      }
    }

    for (const { target, host, also = [] } of ASTRAY) {
      const aimed = (text) => text.replaceAll('PORT', trap.port);
      const headers = [`Host ${host ?? 'of the origin'}`, ...also.map(([name]) => name)].join(', ');
      test(`target ${target} with ${headers} leads nowhere else`, async () => {
        const asked = trap.count;
        await send({ port: pair.worker.port, method: 'GET', target: aimed(target), headers: [
          ['Host', aimed(host ?? `127.0.0.1:${pair.origin.port}`)], ...also.map(([name, value]) => [name, aimed(value)])] });
        assert.equal(trap.count, asked);
        assert.equal((await pair.send({ target: '/after' })).status, 200, 'the Worker still serves');
      });
    }

    test('what is recorded is what arrived', { skip: notOurs }, async () => {
      // A rule for a path must not be passed by with a longer way to it.
      const sent = ['/judged/one', '/x/../judged/two', '/judged/./three', '/x\\..\\judged/four', '/%2e%2e/judged/five',
        '/judged//six', '/judged/..%2fseven'];
      pair.origin.clear();
      for (const target of sent) await pair.send({ target });
      const arrived = pair.origin.requests.map((request) => request.target);
      const recorded = await waitFor(async () => {
        const { items } = await (await pair.admin('api/v1/events?limit=500')).json();
        const paths = items.map((event) => event.path).filter((path) => arrived.includes(path) || sent.includes(path));
        return paths.length >= sent.length && paths;
      }, { what: 'the events to be found' });
      assert.deepEqual(recorded.toSorted(), arrived.toSorted());
    });

    test('a target that is no path is refused by name, not by accident', { skip: notOurs }, async () => {
      const got = await pair.send({ method: 'OPTIONS', target: '*' });
      assert.equal(got.status, 400);
      assert.equal(JSON.parse(got.body).status, 400);
    });
  });
}
