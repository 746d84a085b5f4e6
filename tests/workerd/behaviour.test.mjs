// Every detector of behaviour: an attack it has to see, and the innocent twin that it has to leave alone, played against
// the built Worker and looked at through the public API.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { notOurs, startPair, waitFor } from './harness.mjs';
import { all, ask, client } from './scene.mjs';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const JA4 = 't13d1516h2_8daaf6152771_02713d6af862';
const CHROME = 'Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0 Safari/537.36';
const JSON_TYPE = ['Content-Type', 'application/json'];

const vars = {
  DEV_CLIENT_HEADERS: true,
  DEV_CLOCK: true,
  SESSION_KEYS: [{ from: 'request.cookie.sid', issued_by: 'response.set-cookie.sid' }],
  PARAMETERS: [{ name: 'username', from: 'request.body#/username', on: 'POST /api/login', type: 'string', role: 'user', store: 'plain' }],
  ROUTES: [{ match: '* /api/invoices/*', objects: 'learn' }],
  LIMITS: { flush_ms: 50 },
};

/** An origin with customers who have invoices: two each, and a list of their own. */
function answer({ method, target, headers }) {
  const cookie = headers.find(([name]) => name.toLowerCase() === 'cookie')?.[1] ?? '';
  const number = Number(/sid=customer-(\d+)/.exec(cookie)?.[1] ?? 0);
  const json = (body, more = []) => ({ status: 200, headers: [JSON_TYPE, ...more], body: JSON.stringify(body) });
  const issued = /^\/api\/enter\/(\d+)$/.exec(target);
  if (issued) return json({ ok: true }, [['Set-Cookie', `sid=customer-${issued[1]}; Path=/; HttpOnly`]]);
  if (method === 'GET' && target === '/api/invoices') return json({ items: [{ id: 1000 + number }, { id: 2000 + number }], next: null });
  const invoice = /^\/api\/invoices\/(\d+)$/.exec(target);
  if (invoice) return json({ id: Number(invoice[1]), total: 9.5 });
  return json({ ok: true });
}

// Each scene is ({ who, at, settled }): `who` makes a client of this scene, `at` moves its clock by so many ms and sends,
// `settled` waits until all of it is recorded.
const login = (visit, at, username, status, time) =>
  at(time, visit, '/api/login', { method: 'POST', status, body: JSON.stringify({ username }), headers: [JSON_TYPE] });

const SCENES = {
  brute_force: [
    async ({ who, at }) => {
      const visit = who();
      for (let i = 0; i < 12; i += 1) await login(visit, at, 'ann', 401, 2 * SECOND);
    },
    async ({ who, at }) => {
      const visit = who();
      for (let i = 0; i < 5; i += 1) await login(visit, at, 'gus', 401, 9 * SECOND);
      await at(MINUTE, visit, '/api/password/forgot', { method: 'POST', status: 202 });
      await login(visit, at, 'gus', 200, 3 * MINUTE);
    },
  ],
  credential_stuffing: [
    async ({ who, at }) => {
      const visit = who();
      for (let i = 0; i < 8; i += 1) await login(visit, at, `user${i}`, 401, 3 * SECOND);
    },
    async ({ who, at }) => {
      const visit = who();
      for (const name of ['hal', 'ida', 'jon']) {
        await login(visit, at, name, 401, MINUTE);
        await login(visit, at, name, 200, MINUTE);
      }
    },
  ],
  account_takeover: [
    async ({ who, at }) => {
      const visit = who();
      for (let i = 0; i < 8; i += 1) await login(visit, at, 'dora', 401, SECOND);
      await login(visit, at, 'dora', 200, SECOND);
    },
    async ({ who, at }) => {
      const visit = who();
      for (let i = 0; i < 3; i += 1) await login(visit, at, 'erik', 401, 8 * SECOND);
      await login(visit, at, 'erik', 200, 8 * SECOND);
      await at(MINUTE, visit, '/api/account/email', { method: 'PUT' });
    },
  ],
  mass_registration: [
    async ({ who, at, name }) => {
      for (let i = 0; i < 12; i += 1) await at(20 * SECOND, who({ cookie: `sid=${name}-${i}` }), '/api/register', { method: 'POST', status: 201 });
    },
    async ({ who, at, name }) => { await at(20 * SECOND, who({ cookie: `sid=${name}` }), '/api/register', { method: 'POST', status: 201 }); },
  ],
  token_sharing: [
    async ({ who, at, name, net }) => {
      for (let i = 0; i < 24; i += 1) {
        await at(MINUTE, who({ ip: `${net}${i % 8}.${10 + i % 8}`, asn: 64_500 + i % 8, country: 'DE', cookie: `sid=${name}` }), `/api/products/${i}`);
      }
    },
    async ({ who, at, name, net }) => {
      for (let i = 0; i < 24; i += 1) await at(MINUTE, who({ ip: `${net}1.${10 + i % 2}`, asn: 3320, country: 'DE', cookie: `sid=${name}` }), `/api/products/${i}`);
    },
  ],
  session_hijack: [
    async ({ who, at, name, net }) => {
      const owner = who({ ip: `${net}1.1`, asn: 3320, country: 'DE', ja4: JA4, cookie: `sid=${name}` });
      const thief = who({ ip: `${net}9.9`, asn: 4134, country: 'BR', ja4: 't13d1715h2_5b57614c22b0_3d5424432f57', agent: CHROME, cookie: `sid=${name}` });
      for (let i = 0; i < 8; i += 1) await at(MINUTE, i % 2 ? thief : owner, `/api/products/${i}`);
    },
    async ({ who, at, name, net }) => {
      const [v4, v6] = [`${net}1.1`, '2001:db8:77::1'].map((ip) => who({ ip, asn: 3320, country: 'DE', ja4: JA4, cookie: `sid=${name}` }));
      for (let i = 0; i < 12; i += 1) await at(MINUTE, i % 2 ? v6 : v4, `/api/products/${i}`);
    },
  ],
  impossible_travel: [
    async ({ who, at, name, net }) => {
      const [home, away] = [['1.1', 'DE', 3320], ['2.2', 'AU', 1221]].map(([ip, country, asn]) => who({ ip: net + ip, country, asn, ja4: JA4, cookie: `sid=${name}` }));
      for (let i = 0; i < 4; i += 1) await at(MINUTE, home, `/api/products/${i}`);
      for (let i = 0; i < 4; i += 1) await at(i ? MINUTE : HOUR, away, `/api/products/${i}`);
    },
    async ({ who, at, name, net }) => {
      const [home, away] = [['1.1', 'DE', 3320], ['2.2', 'FR', 3215]].map(([ip, country, asn]) => who({ ip: net + ip, country, asn, ja4: JA4, cookie: `sid=${name}` }));
      for (let i = 0; i < 4; i += 1) await at(MINUTE, home, `/api/products/${i}`);
      for (let i = 0; i < 4; i += 1) await at(i ? MINUTE : 5 * HOUR, away, `/api/products/${i}`);
    },
  ],
  bola_enumeration: [
    async ({ who, at, name }) => {
      const visit = who({ cookie: `sid=${name}` });
      for (let i = 0; i < 40; i += 1) await at(SECOND, visit, `/api/orders/${5_000 + i}`, { status: i % 3 ? 404 : 200 });
    },
    async ({ who, at, name }) => {
      const visit = who({ cookie: `sid=${name}` });
      await at(SECOND, visit, '/api/orders');
      for (let i = 0; i < 12; i += 1) await at(4 * SECOND, visit, `/api/orders/${7_000 + 37 * i}`);
    },
  ],
  bola_foreign_object: [
    async ({ who, at, settled }) => {
      const [owner, thief] = [1, 2].map((n) => who({ cookie: `sid=customer-${n}` }));
      for (const [visit, n] of [[owner, 1], [thief, 2]]) {
        await at(SECOND, who(), `/api/enter/${n}`);
        await at(SECOND, visit, '/api/invoices');
      }
      await settled();
      await at(SECOND, thief, '/api/invoices/1001');
      await settled();
      await at(11 * SECOND, thief, '/api/home');
    },
    async ({ who, at, settled }) => {
      const visit = who({ cookie: 'sid=customer-3' });
      await at(SECOND, who(), '/api/enter/3');
      await at(SECOND, visit, '/api/invoices');
      await settled();
      // As a page does: the list, and before it can be recorded what it names.
      await Promise.all(['/api/invoices', '/api/invoices/1003', '/api/invoices/2003'].map((target) => at(0, visit, target)));
      await settled();
      await at(11 * SECOND, visit, '/api/home');
    },
  ],
  password_spraying: [
    async ({ who, at, net }) => {
      for (let i = 0; i < 45; i += 1) {
        const visit = who({ ip: `${net}${i}.9`, asn: 64_500 + i % 9, agent: 'python-requests/2.31.0', ja4: 't13d1812h1_85036bcba153_375ca2c5e164' });
        await login(visit, at, `victim${i}`, 401, MINUTE);
      }
    },
    async ({ who, at, net }) => {
      for (let i = 0; i < 45; i += 1) {
        const visit = who({ ip: `${net}${i}.9`, asn: 64_600 + i % 9, agent: CHROME, ja4: JA4 });
        if (i % 3 === 0) await login(visit, at, `guest${i}`, 401, MINUTE);
        await login(visit, at, `guest${i}`, 200, 9 * SECOND);
      }
    },
  ],
  automation: [
    async ({ who, at, name }) => {
      const visit = who({ cookie: `sid=${name}`, ja4: JA4 });
      for (let i = 0; i < 90; i += 1) await at(2 * SECOND, visit, `/api/articles/chapter-${i}`);
    },
    async ({ who, at, name }) => {
      const visit = who({ cookie: `sid=${name}`, ja4: JA4 });
      for (let i = 0; i < 60; i += 1) await at(SECOND * (3 + ((i * 7919) % 41)), visit, `/api/articles/chapter-${(i * 31) % 23}`);
    },
  ],
  forced_browsing: [
    async ({ who, at, name }) => {
      const visit = who({ cookie: `sid=${name}` });
      for (const letter of 'abcdefghijklmno') await at(SECOND, visit, `/cellar/${letter}`, { status: 404 });
    },
    async ({ who, at, name }) => {
      const visit = who({ cookie: `sid=${name}` });
      for (let i = 0; i < 20; i += 1) await at(SECOND, visit, `/api/products/${i % 7}`);
      for (const letter of 'xyz') await at(SECOND, visit, `/pictures/${letter}`, { status: 404 });
    },
  ],
  'brute_force against somebody': [
    async ({ who, at, net }) => {
      for (let i = 0; i < 15; i += 1) await login(who({ ip: `${net}${i}.9`, asn: 64_700 + i % 9 }), at, 'zoe', 401, 5 * SECOND);
    },
    // She was there before, and mistypes right after.
    async ({ who, at, net, name }) => {
      const [own, again] = ['a', 'b'].map((day) => who({ cookie: `sid=${name}-${day}`, agent: CHROME, ja4: JA4 }));
      await login(own, at, 'zoe', 200, SECOND);
      await login(again, at, 'zoe', 401, SECOND);
      await login(again, at, 'zoe', 200, 9 * SECOND);
      await at(SECOND, again, '/api/home');
    },
  ],
  'bola_enumeration by a program': [
    async ({ who, at, name }) => {
      const visit = who();
      for (let i = 0; i < 60; i += 1) await at(SECOND, visit, `/api/orders/${3_000 + i}`, { status: i % 4 ? 200 : 404, headers: [['X-Api-Key', `key-of-${name}`]] });
    },
    async ({ who, at, name }) => {
      const visit = who();
      for (let i = 0; i < 60; i += 1) await at(SECOND, visit, `/api/orders/${9_000 + i}`, { headers: [['X-Api-Key', `key-of-${name}`]] });
    },
  ],
  sqli: [
    async ({ who, at }) => { await at(SECOND, who(), "/api/search?q=1'%20UNION%20SELECT%20password%20FROM%20users--"); },
    async ({ who, at }) => { await at(SECOND, who(), '/api/search?q=select%20a%20union%20representative'); },
  ],
};

describe('behaviour', { skip: notOurs }, () => {
  let pair;
  let clock = Date.UTC(2040, 0, 1, 12);
  let sent = 0;
  before(async () => { pair = await startPair({ vars, answer }); });
  after(() => pair?.stop());

  /** Plays a scene from a network of its own; answers the detectors that found something in its sessions. */
  async function play(scene, number) {
    const net = `10.${number}.`;
    const own = { ip: `${net}1.1`, country: 'DE', asn: 3320 };
    const who = (more = {}) => client(pair, { ...own, ...more });
    const at = async (ms, visit, target, options = {}) => {
      clock += ms;
      sent += 1;
      return visit(target, { time: clock, ...options });
    };
    const settled = () => waitFor(async () => (await ask(pair, 'stats')).total.requests >= sent, { what: `${sent} events` });
    await scene({ who, at, net, settled, name: `s${number}` });
    await settled();
    const sessions = await all(pair, `sessions?ip=${net}0.0/16`);
    return Object.assign({}, ...sessions.map(({ findings }) => findings));
  }

  Object.entries(SCENES).forEach(([detector, [attack, twin]], at) => {
    test(`${detector} is seen`, async () => {
      const found = await play(attack, 10 + 2 * at);
      assert.ok(found[detector.split(' ')[0]] >= 1, JSON.stringify(found));
    });
    test(`the innocent twin of ${detector} is left alone`, async () => {
      assert.deepEqual(await play(twin, 11 + 2 * at), {});
    });
  });

  test('nobody innocent is flagged', async () => {
    for (let at = 0; at < Object.keys(SCENES).length; at += 1) {
      assert.deepEqual((await all(pair, `sessions?state=flagged&ip=10.${11 + 2 * at}.0.0/16`)), []);
    }
  });
});
