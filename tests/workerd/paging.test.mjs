// Page by page, while traffic goes on: what was there at the first page comes once, in its order, whatever happens
// between two pages.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { all, ask, client, recorded } from './scene.mjs';

const T0 = Date.UTC(2040, 0, 1, 12);
const MINUTE = 60_000;
const VISITORS = 12;
const SORTS = ['last_seen', 'first_seen', 'requests', 'duration', 'risk'];

/** Starts a pair whose sessions v0…v11 differ in every sort value; answers what a test needs to go on from there. */
async function populated({ shards = 1 } = {}) {
  const pair = await startPair({ vars: { DEV_CLIENT_HEADERS: true, DEV_CLOCK: true, SHARDS: shards, LIMITS: { flush_ms: 20, path_bytes: 8192 } } });
  const scene = { pair, minute: 0, count: 0 };
  scene.visit = async (name, { target = `/${name}`, ...more } = {}) => {
    scene.count += 1;
    return client(pair, { cookie: `sid=${name}` })(target, { time: T0 + scene.minute * MINUTE, ...more });
  };
  scene.settle = () => recorded(pair, scene.count);
  for (let i = 0; i < VISITORS; i += 1) {
    for (let k = 0; k <= (i * 5) % VISITORS; k += 1) await scene.visit(`v${i}`);
    scene.minute += 1;
  }
  for (const i of [7, 2, 9]) await scene.visit(`v${i}`, { target: '/again' });
  await scene.settle();
  scene.minute += 1;
  return scene;
}
const idsOf = (items) => items.map(({ id }) => id);
/** Fails unless what was there before was paged once and in its order; newcomers may stand between. */
function assertWhole(paged, before) {
  assert.equal(new Set(paged).size, paged.length, 'nothing comes twice');
  const known = new Set(before);
  assert.deepEqual(paged.filter((id) => known.has(id)), before, 'everything that was there comes, in its order');
}

describe('page by page', { skip: notOurs }, () => {
  let scene;
  before(async () => { scene = await populated({ shards: 3 }); });
  after(() => scene?.pair.stop());

  for (const sort of SORTS) {
    for (const order of ['desc', 'asc']) {
      test(`sessions by ${sort} ${order} come once and in order while they and others go on`, async () => {
        const query = `sessions?sort=${sort}&order=${order}`;
        const before = idsOf(await all(scene.pair, query));
        scene.minute += 1;
        let page = 0;
        const paged = await all(scene.pair, query, { limit: 1, between: async () => {
          // Somebody known comes back and somebody new comes, the same ones in every run.
          page += 1;
          if (page > VISITORS) return;
          await scene.visit(`v${(page * 7) % VISITORS}`);
          await scene.visit(`${sort}-${order}-${page}`);
          await scene.settle();
        } });
        assertWhole(idsOf(paged), before);
      });
    }
  }

  for (const order of ['desc', 'asc']) {
    test(`events ${order} come once and in order while more are recorded`, async () => {
      const before = idsOf(await all(scene.pair, `events?order=${order}`));
      let page = 0;
      const paged = await all(scene.pair, `events?order=${order}`, { limit: 10, between: async () => {
        page += 1;
        if (page <= 8) await scene.visit(`${order}-${page}`);
        await scene.settle();
      } });
      assertWhole(idsOf(paged), before);
    });
  }

  test('a session comes once though its risk rises between two pages', async () => {
    const before = idsOf(await all(scene.pair, 'sessions?sort=risk'));
    const quiet = before.at(-2);
    const name = await nameOf(scene, quiet);
    let done = false;
    const paged = await all(scene.pair, 'sessions?sort=risk', { limit: 5, between: async () => {
      if (done) return;
      done = true;
      scene.minute += 1;
      for (let i = 0; i < 12; i += 1) await scene.visit(name, { target: `/guess/${'abcdefghijkl'[i]}`, status: 404 });
      await scene.settle();
      assert.equal((await ask(scene.pair, `sessions/${quiet}`)).state, 'flagged');
    } });
    assertWhole(idsOf(paged), before);
  });

  test('a relative time means the same on every page', async () => {
    const before = idsOf(await all(scene.pair, 'events?from=-20m'));
    const paged = await all(scene.pair, 'events?from=-20m', { limit: Math.ceil(before.length / 2), between: async () => {
      scene.minute += 19;
      await scene.visit('late');
      await scene.settle();
    } });
    assertWhole(idsOf(paged), before);
  });
});

async function nameOf(scene, id) {
  const { items: [{ path }] } = await ask(scene.pair, `sessions/${id}/events?limit=1`);
  return path.slice(1);
}
