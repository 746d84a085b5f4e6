// Routes that ask before they forward: what happened before counts for the next request, however close it is.
// That such a route fails closed when its shard cannot be reached cannot be played from outside.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { notOurs, startPair } from './harness.mjs';
import { all, ask, client, order, recorded, sentProblem, sessionOf } from './scene.mjs';

const ROUTES = [{ match: 'POST /api/payments', decide: 'inline' }, { match: 'GET /guarded/*', decide: 'inline' }];

for (const [mode, synchronous] of [['enforce', true], ['monitor', false]]) {
  describe(`an inline route in ${mode} mode`, { skip: notOurs }, () => {
    let pair;
    let count = 0;
    before(async () => { pair = await startPair({ vars: { DEV_CLIENT_HEADERS: true, MODE: mode, ROUTES, SHARDS: 2 } }); });
    after(() => pair?.stop());

    test('passes what nothing stands against, unharmed', async () => {
      const body = JSON.stringify({ amount: 12.5, note: 'O\'Brien' });
      const got = await client(pair, { cookie: 'sid=ann' })('/api/payments', { method: 'POST', body, headers: [['Content-Type', 'application/json']] });
      count += 1;
      assert.equal(got.status, 200);
      assert.equal(pair.origin.requests.at(-1).body.toString(), body);
      assert.equal((await client(pair, { cookie: 'sid=ann' })('/api/payments', { method: 'POST', status: 402 })).status, 402);
      count += 1;
      await recorded(pair, count);
    });

    test('leaves no event of another route waiting', async () => {
      const visit = client(pair, { cookie: 'sid=bob' });
      await visit('/api/payments', { method: 'POST' });
      await visit('/ordinary');
      count += 2;
      await recorded(pair, count, { timeout: 4_000 });
    });

    if (synchronous) test('has recorded its event before the answer', async () => {
      for (let i = 0; i < 5; i += 1) {
        await client(pair, { cookie: `sid=${i}` })(`/guarded/${i}`);
        count += 1;
        assert.equal((await ask(pair, 'stats')).total.requests, count);
      }
    });

    test('has lost nothing of many requests at once', async () => {
      const statuses = await Promise.all(Array.from({ length: 200 }, async (_, i) =>
        (await client(pair, { cookie: `sid=p${i % 9}` })(`/guarded/${1000 + i}`)).status));
      count += 200;
      assert.deepEqual([...new Set(statuses)], [200]);
      await recorded(pair, count);
      const paths = (await all(pair, 'events')).map(({ path }) => path);
      assert.equal(new Set(paths.filter((path) => /\/guarded\/1\d\d\d/.test(path))).size, 200);
      assert.match(await (await pair.admin('metrics')).text(), /^throughline_undecided_total 0$/m);
    });

    test(synchronous ? 'stops who is blocked' : 'stops nobody', async () => {
      const visit = client(pair, { cookie: 'sid=eve' });
      await visit('/hello-eve');
      count += 1;
      await recorded(pair, count);
      const { id } = await sessionOf(pair, '/hello-eve');
      await ask(pair, `sessions/${id}/actions`, order({ action: 'block' }));
      const got = await visit('/api/payments', { method: 'POST', body: 'x' });
      if (!synchronous) return assert.equal(got.status, 200);
      const { reference } = sentProblem(got, 403);
      const free = await client(pair, { cookie: 'sid=ann' })('/api/payments', { method: 'POST' });
      assert.equal(free.status, 200);
      await recorded(pair, count + 2);
      return assert.equal((await ask(pair, `events?request=${reference}`)).items[0].action, 'block');
    });

    if (synchronous) test('stops a scanner on the very request that gives it away', async () => {
      const visit = client(pair, { cookie: 'sid=scanner' });
      const statuses = [];
      for (const letter of 'abcdefghijklmnopqrst') statuses.push((await visit(`/guarded/${letter}`, { status: 404 })).status);
      const first = statuses.indexOf(403);
      assert.ok(first === 9 || first === 10, `stopped at request ${first + 1}, the bucket holds ten`);
      assert.ok(statuses.slice(first).every((status) => status === 403));
    });
  });
}
