// A question or an order that is not understood is refused, and the refusal names what is wrong: a filter silently
// ignored shows an analyst the wrong sessions.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { notOurs, startPair } from './harness.mjs';
import { all, ask, client, order, problem, recorded } from './scene.mjs';

const RANGE = 'from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z';
/** [query, the parameter at fault], for every list that is filtered. */
const FILTERS = [
  ['colour=red', 'colour'], ['=1', ''], ['IP=192.0.2.1', 'IP'], ['ip=', 'ip'], ['ip=300.1.1.1', 'ip'], ['ip=192.0.2.0/33', 'ip'],
  ['ip=2001:db8::/129', 'ip'], ['ip=localhost', 'ip'], ['ip!=x', 'ip!'], ['ip=192.0.2.1&ip=x', 'ip'], ['country=Germany', 'country'],
  ['country=D', 'country'], ['country=%C3%A4', 'country'], ['country=', 'country'], ['asn=x', 'asn'], ['asn=AS', 'asn'],
  ['asn=-1', 'asn'], ['asn=4294967296', 'asn'], ['asn=AAS3320', 'asn'], ['host=', 'host'], ['endpoint=orders', 'endpoint'],
  ['endpoint=GET', 'endpoint'], ['method=G%20T', 'method'], ['method=', 'method'], ['status=40x', 'status'], ['status=99', 'status'],
  ['status=1000', 'status'], ['status=0xx', 'status'], ['status=ok', 'status'], ['detector=magic', 'detector'],
  ['session=xyz', 'session'], ['request=xyz', 'request'], [`request=8${'Z'.repeat(25)}`, 'request'], ['q=', 'q'],
  [`q=${'a'.repeat(2049)}`, 'q'], ['from=yesterday', 'from'], ['from=2026-13-01T00:00:00Z', 'from'], ['from=2026-01-31', 'from'],
  ['from=1700000000', 'from'], ['from=-1', 'from'], ['from=-1w', 'from'], ['from=-1h&from=-2h', 'from'], ['to=soon', 'to'],
  [RANGE, 'from'], ['from!=-1h', 'from!'], ['to!=-1h', 'to!'], [`${'method=GET&'.repeat(65)}`, 'query'],
];
const PAGES = [['limit=0', 'limit'], ['limit=501', 'limit'], ['limit=ten', 'limit'], ['limit=1.5', 'limit'], ['limit=', 'limit'],
  ['limit=1&limit=2', 'limit'], ['limit!=5', 'limit!'], ['order=up', 'order'], ['order=asc&order=desc', 'order'], ['sort=colour', 'sort'],
  ['sort=', 'sort'], ['sort=time&sort=time', 'sort'], ['cursor=x', 'cursor'], ['cursor=', 'cursor'], ['cursor=!!', 'cursor'],
  ['cursor=AAAA', 'cursor'], [`cursor=${'A'.repeat(400)}`, 'cursor'], ['cursor=x&cursor=y', 'cursor']];
const OF_SESSIONS = [['state=calm', 'state'], ['min_risk=101', 'min_risk'], ['min_risk=-1', 'min_risk'], ['min_risk=x', 'min_risk'],
  ['min_risk!=5', 'min_risk!'], ['min_risk=1&min_risk=2', 'min_risk'], ['min_requests=many', 'min_requests'],
  ['min_requests=-1', 'min_requests'], ['min_requests!=5', 'min_requests!'], ['sort=time', 'sort']];
const NOT_OF_EVENTS = [['state=clear', 'state'], ['min_risk=5', 'min_risk'], ['min_requests=5', 'min_requests'], ['sort=risk', 'sort']];
const STATS = [['bucket=1m', 'bucket'], ['bucket=90s&from=-1h', 'bucket'], ['bucket=1s&from=-1h', 'bucket'], ['bucket=0m&from=-1h', 'bucket'],
  ['bucket=minute&from=-1h', 'bucket'], ['bucket=1m&from=1970-01-01T00:00:00Z', 'bucket'], ['bucket=1h&bucket=2h&from=-1h', 'bucket'],
  ['group_by=user', 'group_by'], ['group_by=status&group_by=country', 'group_by'], ['limit=1', 'limit'], ['order=asc', 'order'],
  ['sort=time', 'sort'], ['cursor=x', 'cursor'], ...NOT_OF_EVENTS.slice(0, 3)];
const SUBJECT = [['', 'kind'], ['kind=ip', 'value'], ['value=192.0.2.1', 'kind'], ['kind=crowd&value=ann', 'kind'],
  ['kind=session&value=192.0.2.1', 'value'], ['kind=ip&value=x', 'value'], ['kind=ip&value=', 'value'], ['kind=ip&value=192.0.2.0/24', 'value'],
  ['kind=ip&value=192.0.2.1/64', 'value'], ['kind=ip&kind=session&value=192.0.2.1', 'kind'],
  ['kind=ip&value=192.0.2.1&value=192.0.2.2', 'value'], ['kind=ip&value=192.0.2.1&x=1', 'x']];

describe('the API refuses', { skip: notOurs }, () => {
  let pair;
  let ids;
  before(async () => {
    pair = await startPair({ vars: { DEV_CLIENT_HEADERS: true } });
    for (const cookie of ['sid=ann', 'sid=bob']) {
      for (const target of ['/one', '/two', '/three']) await client(pair, { cookie })(target);
    }
    await recorded(pair, 6);
    ids = (await all(pair, 'sessions')).map(({ id }) => id);
  });
  after(() => pair?.stop());

  const refused = (name, path, init) => async () => {
    assert.equal((await problem(await pair.admin(path(), init), 400)).parameter, name);
  };
  const table = (label, path, cases, init) => {
    for (const [query, name] of cases) test(`${label}?${query.slice(0, 60)} by ${name}`, refused(name, () => `api/v1/${path()}?${query}`, init));
  };
  table('GET sessions', () => 'sessions', [...FILTERS, ...PAGES, ...OF_SESSIONS]);
  table('GET events', () => 'events', [...FILTERS, ...PAGES, ...NOT_OF_EVENTS]);
  table('GET sessions/{id}/events', () => `sessions/${ids[0]}/events`, [...FILTERS, ...PAGES, ...NOT_OF_EVENTS]);
  table('GET stats', () => 'stats', [...FILTERS, ...STATS]);
  table('GET audit', () => 'audit', [['limit=0', 'limit'], ['limit=501', 'limit'], ['limit=x', 'limit'], ['limit=1&limit=2', 'limit'], ['x=1', 'x']]);
  table('DELETE blocks', () => 'blocks', SUBJECT, { method: 'DELETE' });
  for (const path of ['policy', 'blocks', 'sessions/{id}']) table(`GET ${path}`, () => path.replace('{id}', ids[0]), [['x=1', 'x'], ['limit=1', 'limit']]);

  for (const [path, body] of [['lookup', { value: 'abc' }], ['blocks', { kind: 'ip', value: '192.0.2.9' }], ['sessions/{id}/actions', { action: 'block' }]]) {
    test(`POST ${path}?x=1 by x, and does nothing`, async () => {
      const answer = await pair.admin(`api/v1/${path.replace('{id}', ids[0])}?x=1`, order(body));
      assert.deepEqual((await ask(pair, 'blocks')).items, []);
      assert.equal((await problem(answer, 400)).parameter, 'x');
    });
  }

  test('nothing that is within the limits', async () => {
    for (const query of ['limit=1', 'limit=500', `q=${'a'.repeat(2048)}`, Array(64).fill('method=GET').join('&'), 'ip=192.0.2.0/32',
      'asn=4294967295', 'asn=as1', 'status=100', 'status=9XX', 'from=-0s', 'to=2026-01-31T12:00:00%2B01:00', 'sort=duration', 'min_risk=0', 'min_risk=100']) {
      await ask(pair, `sessions?${query}`);
    }
  });

  for (const [from, to] of [
    ['sessions', 'sessions?status=200'], ['sessions?status=200', 'sessions'], ['sessions', 'sessions?sort=risk'],
    ['sessions', 'sessions?order=asc'], ['sessions?status=200&method=GET', 'sessions?status=200'], ['events', 'events?order=asc'],
    ['events?q=o', 'events?q=e'], ['sessions', 'events'], ['events', 'sessions'], ['events', 'sessions/0/events'],
    ['sessions/0/events', 'events'], ['sessions/0/events', 'sessions/1/events'],
  ]) {
    test(`a cursor of ${from} with ${to}`, async () => {
      const path = (text) => `${text.replace(/\/(\d)\//, (_, index) => `/${ids[index]}/`)}${text.includes('?') ? '&' : '?'}`;
      const { next } = await ask(pair, `${path(from)}limit=1`);
      assert.equal((await problem(await pair.admin(`api/v1/${path(to)}cursor=${next}`), 400)).parameter, 'cursor');
    });
  }

  test('a cursor that was cut or changed', async () => {
    const { next } = await ask(pair, 'sessions?limit=1');
    for (const cursor of [next.slice(0, -1), next.slice(1), `x${next}`, next.replace(/^.{4}/, 'AAAA')]) {
      assert.equal((await problem(await pair.admin(`api/v1/sessions?cursor=${cursor}`), 400, cursor)).parameter, 'cursor');
    }
  });

  test('no cursor because the limit or the order of the filters changed', async () => {
    const { next } = await ask(pair, 'sessions?limit=1&status=200&method=GET');
    assert.equal((await ask(pair, `sessions?method=GET&status=200&limit=500&cursor=${next}`)).items.length, 1);
  });
});
