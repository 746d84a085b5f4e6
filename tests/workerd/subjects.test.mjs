// A user, an address, a token, a device: what the shards know of each, whichever shard a session lives in.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { token as signed } from './jose.mjs';
import { BROWSER, ask, client, problem, recorded } from './scene.mjs';

const ISS = 'https://login.example.com';
const JWT_SECRET = 'a secret of thirty-two bytes here';
const JA4 = 't13d1516h2_8daaf6152771_02713d6af862';

for (const shards of [1, 4]) {
  describe(`subjects over ${shards} shards`, { skip: notOurs }, () => {
    let pair;
    const token = signed('HS256', JWT_SECRET, { iss: ISS, sub: 'ann', jti: 'token-1', exp: 4_000_000_000 });
    before(async () => {
      pair = await startPair({ vars: { DEV_CLIENT_HEADERS: true, SHARDS: shards, LIMITS: { flush_ms: 20 },
        JWT: [{ iss: ISS, alg: 'HS256', secret: JWT_SECRET }] } });
      const bearer = [['Authorization', `Bearer ${token}`]];
      const home = client(pair, { ip: '203.0.113.7', country: 'DE', asn: 3320, ja4: JA4, cookie: 'sid=home', headers: bearer });
      const away = client(pair, { ip: '2001:db8:1:2::9', country: 'FR', asn: 3215, cookie: 'sid=away', headers: bearer });
      const guest = client(pair, { ip: '203.0.113.7', country: 'DE', asn: 3320, ja4: JA4, cookie: 'sid=guest' });
      for (let i = 0; i < 3; i += 1) await home(`/api/orders/${i}`);
      await away('/api/orders/1', { status: 403 });
      await guest('/api/products');
      await recorded(pair, 5);
    });
    after(() => pair?.stop());

    /** A subject, once it has been seen this often: what lies in other shards arrives with flushes of its own. */
    async function subject(path, requests) {
      let found;
      await waitFor(async () => {
        const answer = await pair.admin(`api/v1/subjects/${path}`);
        found = answer.status === 200 ? await answer.json() : {};
        return found.requests === requests;
      }, { what: `${requests} requests of ${path}` });
      assert.equal(found.partial, false);
      return found;
    }

    test('an address knows its sessions, users and devices', async () => {
      const ip = await subject('ip/203.0.113.7', 4);
      assert.deepEqual([ip.kind, ip.value, ip.sessions.count, ip.sessions.exact], ['ip', '203.0.113.7', 2, true]);
      assert.deepEqual(ip.countries.items.map(({ value }) => value), ['DE']);
      assert.equal(ip.windows['1h'].requests, 4);
      const sessions = await ask(pair, 'sessions?ip=203.0.113.7');
      assert.deepEqual(ip.sessions.items.map(({ value }) => value).sort(), sessions.items.map(({ id }) => id).sort());
    });

    test('an IPv6 address is its /64', async () => {
      for (const value of ['2001:db8:1:2::9', '2001:db8:1:2:ffff::1', '2001:db8:1:2::/64']) {
        const ip = await subject(`ip/${encodeURIComponent(value)}`, 1);
        assert.deepEqual([ip.value, ip.refused], ['2001:db8:1:2::/64', 1]);
      }
    });

    test('a token is found by its jti and by the name it is shown under, and knows where it was used', async () => {
      const shown = await subject('token/token-1', 4);
      assert.deepEqual([shown.ips.count, shown.countries.count, shown.sessions.count], [2, 2, 2]);
      assert.deepEqual(await subject(`token/${shown.value}`, 4), shown);
      assert.ok(!JSON.stringify(shown).includes('token-1'), 'what names it is a keyed hash');
    });

    test('a user is found by the raw name', async () => {
      const user = await subject('user/ann', 4);
      assert.deepEqual([user.kind, user.ips.count, user.sessions.count], ['user', 2, 2]);
      assert.deepEqual(user.places.map(({ country }) => country), ['FR', 'DE']);
    });

    test('a device is a JA4, an agent and a network', async () => {
      const agent = (await ask(pair, 'subjects/ip/203.0.113.7')).agents.items[0].value;
      const device = await subject(`device/${encodeURIComponent(`${JA4};${agent};203.0.113.0/24`)}`, 4);
      assert.ok(BROWSER.includes(agent.split(' ')[0]), agent);
      assert.equal(device.sessions.count, 2);
    });

    test('a session is a subject too', async () => {
      const [{ id }] = (await ask(pair, 'sessions?ip=2001:db8:1:2::9')).items;
      assert.equal((await ask(pair, `subjects/session/${id}`)).id, id);
    });

    test('what is not known is not found, and what is no value is refused', async () => {
      for (const path of ['user/nobody', 'ip/198.51.100.1', 'token/none', 'planet/mars']) {
        await problem(await pair.admin(`api/v1/subjects/${path}`), 404);
      }
      for (const path of ['ip/mars', 'device/curl', 'user/%ff', `token/${'a'.repeat(8193)}`]) {
        assert.equal((await problem(await pair.admin(`api/v1/subjects/${path}`), 400)).parameter, 'value');
      }
    });
  });
}
