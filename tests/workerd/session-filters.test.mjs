// What each filter and sort selects, over a small population at chosen times.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { notOurs, startPair } from './harness.mjs';
import { all, ask, client, recorded } from './scene.mjs';

const T0 = Date.UTC(2040, 0, 1, 12); // in the future: a development clock never runs behind the real one
const at = (minutes) => new Date(T0 + minutes * 60_000).toISOString();

/** Who comes when, in minutes after T0: [time, method, target, status]. */
const PEOPLE = {
  ann: { ip: '203.0.113.10', country: 'DE', asn: 3320, visits: [[0, 'GET', '/api/orders/1', 200], [1, 'GET', '/api/orders/2', 200]] },
  bob: { ip: '198.51.100.7', country: 'US', asn: 7922, visits: [[10, 'POST', '/api/cart', 201], [14, 'GET', '/missing', 404]] },
  cid: { ip: '2001:db8:1::5', country: 'FR', asn: 3215, visits: [[20, 'GET', '/api/products', 500]] },
  dan: { ip: '203.0.113.99', country: 'AT', asn: 8447,
    visits: [[30, 'DELETE', '/api/orders/9', 204], [31, 'PROPFIND', '/Files', 207], [32, 'GET', '/api/orders/9', 410]] },
  eve: { ip: '192.0.2.66', country: 'RU', asn: 64500, visits: Array.from({ length: 12 }, (_, i) => [40, 'GET', `/cellar-2/${'abcdefghijkl'[i]}`, 404]) },
};
const NAMES = Object.keys(PEOPLE);
const EVENTS = NAMES.reduce((sum, name) => sum + PEOPLE[name].visits.length, 0);

/** [query, who is found, how many events are found] */
const FILTERS = [
  ['', 'ann bob cid dan eve', 20],
  ['ip=203.0.113.10', 'ann', 2], ['ip=203.0.113.0/24', 'ann dan', 5], ['ip=203.0.113.99/24', 'ann dan', 5], ['ip=::ffff:203.0.113.10', 'ann', 2],
  ['ip=2001:db8::/32', 'cid', 1], ['ip=2001:db8:1:0::5', 'cid', 1], ['ip=2001:db8:2::/48', '', 0], ['ip=::/0', 'cid', 1], ['ip=0.0.0.0/0', 'ann bob dan eve', 19],
  ['ip=203.0.113.10&ip=198.51.100.7', 'ann bob', 4], ['ip!=203.0.113.0/24', 'bob cid eve', 15], ['ip=203.0.113.0/24&ip!=203.0.113.99', 'ann', 2],
  ['country=DE', 'ann', 2], ['country=de&country=at', 'ann dan', 5], ['country!=RU', 'ann bob cid dan', 8], ['country=XX', '', 0],
  ['asn=3320', 'ann', 2], ['asn=AS3320', 'ann', 2], ['asn=as8447&asn=7922', 'bob dan', 5], ['asn!=64500', 'ann bob cid dan', 8],
  ['endpoint=/api/orders/{id}', 'ann dan', 4], ['endpoint=GET%20/api/orders/{integer}', 'ann dan', 3], ['endpoint=delete%20/api/orders/{x}', 'dan', 1],
  ['endpoint=*%20/api/*', 'ann bob cid dan', 6], ['endpoint=/api/orders', '', 0], ['endpoint=/api/orders/1', '', 0], ['endpoint!=/cellar-2/*', 'ann bob cid dan', 8],
  ['endpoint=GET%20HOST/missing', 'bob', 1], ['endpoint=GET%20other.test/missing', '', 0],
  ['host=HOST', 'ann bob cid dan eve', 20], ['host=other.test', '', 0], ['host!=HOST', '', 0],
  ['method=post', 'bob', 1], ['method=PROPFIND&method=DELETE', 'dan', 2], 
  ['status=404', 'bob eve', 13], ['status=4xx', 'bob dan eve', 14], ['status=5XX', 'cid', 1], ['status=2xx', 'ann bob dan', 5],
  ['status=404&status=500', 'bob cid eve', 14],
  ['q=ORDERS', 'ann dan', 4], ['q=cellar-2', 'eve', 12], ['q=files', 'dan', 1], ['q!=cellar-2', 'ann bob cid dan', 8],
  ['detector=forced_browsing', 'eve', 1], ['detector!=forced_browsing', 'ann bob cid dan', 19],
  [`from=${at(10)}`, 'bob cid dan eve', 18], [`to=${at(10)}`, 'ann bob', 3], [`from=${at(14)}&to=${at(14)}`, 'bob', 1], [`from=${at(11)}&to=${at(13)}`, 'bob', 0],
  [`to=${at(-1)}`, '', 0], ['from=-9m', 'dan eve', 14], ['from=-10m&to=-8m', 'dan', 3],
  ['from=2040-01-01T13:00:00%2B01:00&to=2040-01-01T13:01:00%2B01:00', 'ann', 2],
  ['method=POST&status=404', 'bob', 0], ['country=DE&status=404', '', 0], ['country=US&method=GET&status=404', 'bob', 1],
];
const OF_SESSIONS = [['min_requests=2', 'ann bob dan eve'], ['min_requests=12', 'eve'], ['min_requests=13', ''], ['state=flagged', 'eve'],
  ['state=blocked', ''],
  ['state=clear&state=flagged', 'ann bob cid dan eve'], ['state!=flagged', 'ann bob cid dan'], ['min_risk=50', 'eve'],
  ['min_risk=0', 'ann bob cid dan eve'], ['min_risk=100', '']];
const SORTS = [
  ['', 'eve dan cid bob ann'], ['sort=last_seen&order=asc', 'ann bob cid dan eve'], ['sort=first_seen', 'eve dan cid bob ann'],
  ['sort=requests&min_requests=3', 'eve dan'], ['sort=requests&order=asc&min_requests=3', 'dan eve'], ['sort=duration&min_requests=2', 'bob dan ann eve'],
  ['sort=duration&order=asc&min_requests=2', 'eve ann dan bob'], ['sort=risk&limit=1', 'eve'],
];

describe('a question', { skip: notOurs }, () => {
  let pair;
  let host;
  const names = new Map();
  before(async () => {
    pair = await startPair({ vars: { DEV_CLIENT_HEADERS: true, DEV_CLOCK: true, SHARDS: 3, LIMITS: { flush_ms: 50 } } });
    host = new URL(pair.origin.url).host;
    for (const name of NAMES) {
      const { visits, ...who } = PEOPLE[name];
      const person = client(pair, { ...who, cookie: `sid=${name}` });
      for (const [minutes, method, target, status] of visits) await person(target, { method, status, time: T0 + minutes * 60_000 });
    }
    await recorded(pair, EVENTS);
    for (const name of NAMES) names.set((await ask(pair, `events?limit=1&ip=${PEOPLE[name].ip}`)).items[0].session, name);
  });
  after(() => pair?.stop());

  const namesOf = (sessions) => sessions.map(({ id }) => names.get(id));
  const sorted = (text) => text.split(' ').filter(Boolean).sort();

  for (const [text, people, events] of FILTERS) {
    test(`of ${text || 'nothing'} finds ${people || 'nobody'} and ${events} events`, async () => {
      const query = text.replace('HOST', host);
      assert.deepEqual(namesOf(await all(pair, `sessions?${query}`)).sort(), sorted(people));
      assert.equal((await all(pair, `events?${query}`)).length, events);
      assert.equal((await ask(pair, `stats?${query}`)).total.requests, events);
    });
  }

  test('that excludes a method or status excludes the events that have it, and the sessions with any such event', async () => {
    assert.equal((await all(pair, 'events?method!=GET')).length, 3);
    assert.deepEqual(namesOf(await all(pair, 'sessions?method!=GET')), []);
    assert.deepEqual(namesOf(await all(pair, 'sessions?status!=4xx')).sort(), ['ann', 'cid']);
    assert.equal((await all(pair, 'events?status!=4xx')).length, 6);
  });

  for (const [query, people] of OF_SESSIONS) {
    test(`of ${query} finds ${people || 'nobody'}`, async () => assert.deepEqual(namesOf(await all(pair, `sessions?${query}`)).sort(), sorted(people)));
  }

  for (const [query, people] of SORTS) {
    test(`sorted by ${query || 'default'} finds ${people} in this order`, async () => {
      assert.deepEqual(namesOf((await ask(pair, `sessions?${query}`)).items), people.split(' '));
    });
  }

  test('about a session or a request finds that one, in whichever shard', async () => {
    for (const [id, name] of names) {
      assert.deepEqual(namesOf(await all(pair, `sessions?session=${id}`)), [name]);
      const events = await all(pair, `events?session=${id}`);
      assert.equal(events.length, PEOPLE[name].visits.length);
      assert.deepEqual(namesOf(await all(pair, `sessions?request=${events[0].id}`)), [name]);
      assert.deepEqual((await all(pair, `events?request=${events[0].id}`)).map((event) => event.id), [events[0].id]);
      assert.equal((await all(pair, `events?session!=${id}`)).length, EVENTS - events.length);
    }
    const [one, two] = names.keys();
    assert.deepEqual(namesOf(await all(pair, `sessions?session=${one}&session=${two}`)).sort(), [names.get(one), names.get(two)].sort());
    const both = await all(pair, `events?session=${one}&session=${two}`);
    assert.deepEqual(new Set(both.map(({ session }) => session)), new Set([one, two]));
  });

  test('about the events of one session takes filters too', async () => {
    const [dan] = [...names].find(([, name]) => name === 'dan');
    const of = async (query) => (await all(pair, `sessions/${dan}/events?${query}`)).map(({ method }) => method);
    assert.deepEqual(await of('method!=GET'), ['DELETE', 'PROPFIND']);
    assert.deepEqual(await of(`from=${at(31)}&order=desc`), ['GET', 'PROPFIND']);
    assert.deepEqual(await of('country=DE'), []);
  });

  test('gives times as they were played', async () => {
    const { items: [dan] } = await ask(pair, 'sessions?country=AT');
    assert.deepEqual([dan.first_seen, dan.last_seen, dan.duration_ms], [at(30), at(32), 120_000]);
    assert.deepEqual((await all(pair, `sessions/${dan.id}/events`)).map(({ time }) => time), [at(30), at(31), at(32)]);
  });

  test('counts by country, endpoint and status', async () => {
    const groups = async (query) => {
      const { buckets } = await ask(pair, `stats?${query}`);
      return Object.fromEntries(buckets.map(({ group, requests, sessions }) => [group, [requests, sessions]]));
    };
    assert.deepEqual(await groups('group_by=country'), { DE: [2, 1], US: [2, 1], FR: [1, 1], AT: [3, 1], RU: [12, 1] });
    assert.deepEqual(await groups('group_by=status'), { 200: [2, 1], 201: [1, 1], 204: [1, 1], 207: [1, 1], 404: [13, 2], 410: [1, 1], 500: [1, 1] });
    assert.deepEqual((await groups('group_by=endpoint&method=GET'))[`GET ${host}/api/orders/{integer}`], [3, 2]);
    assert.deepEqual((await ask(pair, 'stats')).total, { requests: 20, sessions: 5, attacks: 1 });
  });

  test('counts over time, in buckets aligned to the epoch', async () => {
    const { buckets } = await ask(pair, `stats?bucket=10m&from=${at(0)}`);
    assert.deepEqual(buckets.map(({ time, group, requests }) => [time, group, requests]),
      [[at(0), null, 2], [at(10), null, 2], [at(20), null, 1], [at(30), null, 3], [at(40), null, 12]]);
    const split = (await ask(pair, `stats?bucket=1h&group_by=country&from=${at(0)}&status=4xx`)).buckets;
    assert.deepEqual(split.map(({ time, group, requests, attacks }) => [time, group, requests, attacks]),
      [[at(0), 'AT', 1, 0], [at(0), 'RU', 12, 1], [at(0), 'US', 1, 0]]);
  });
});
