// Orders whose body is not as described are refused with the member at fault, and nothing is carried out.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { notOurs, startPair } from './harness.mjs';
import { ask, client, order, problem, recorded } from './scene.mjs';

const LIMIT = 64 * 1024;
const IP = { kind: 'ip', value: '192.0.2.9' };
const NO_JSON = ['', ' ', '{', '}', 'null', '[]', '"text"', '7', '{"value":"x"', "{'value':'x'}", '\ufeff{}'];

describe('an order', { skip: notOurs }, () => {
  let pair;
  let session;
  before(async () => {
    pair = await startPair({ vars: { DEV_CLIENT_HEADERS: true } });
    await client(pair, { cookie: 'sid=ann' })('/one');
    await recorded(pair, 1);
    session = (await ask(pair, 'sessions')).items[0].id;
  });
  after(() => pair?.stop());

  const paths = () => ['lookup', 'blocks', `sessions/${session}/actions`];
  const post = (path, body) => pair.admin(`api/v1/${path}`, { method: 'POST', body });

  for (const body of NO_JSON) {
    test(`that is ${JSON.stringify(body)} is refused`, async () => {
      for (const path of paths()) assert.equal((await problem(await post(path, body), 400, path)).parameter, undefined);
    });
  }

  for (const [body, member] of [
    [{}, 'value'], [{ value: 1 }, 'value'], [{ value: null }, 'value'], [{ value: ['x'] }, 'value'], [{ value: '' }, 'value'],
    [{ value: 'v'.repeat(16_385) }, 'value'], [{ value: 'x', colour: 'red' }, 'colour'],
  ]) test(`to look up ${JSON.stringify(body).slice(0, 40)} is refused by ${member}`, () => refusedBy('lookup', body, member));

  for (const [body, member] of [
    [{}, 'kind'], [{ kind: 'ip' }, 'value'], [{ value: '192.0.2.9' }, 'kind'], [{ ...IP, kind: 'crowd' }, 'kind'], [{ ...IP, kind: 7 }, 'kind'],
    [{ ...IP, value: 'x' }, 'value'], [{ ...IP, value: '192.0.2.0/24' }, 'value'], [{ ...IP, value: '192.0.2.9/64' }, 'value'],
    [{ ...IP, kind: 'session' }, 'value'], [{ ...IP, action: 'tag' }, 'action'],
    [{ ...IP, action: 'allow' }, 'action'], [{ ...IP, action: 'nuke' }, 'action'], [{ ...IP, for: 10 }, 'for'], [{ ...IP, for: 'soon' }, 'for'],
    [{ ...IP, for: '0s' }, 'for'], [{ ...IP, for: '999ms' }, 'for'], [{ ...IP, for: '366d' }, 'for'], [{ ...IP, for: '-1h' }, 'for'],
    [{ ...IP, reason: 7 }, 'reason'], [{ ...IP, reason: 'r'.repeat(501) }, 'reason'], [{ ...IP, reason: 'ä'.repeat(251) }, 'reason'],
    [{ ...IP, until: '2030-01-01T00:00:00Z' }, 'until'],
  ]) test(`to block with ${JSON.stringify(body).slice(0, 70)} is refused by ${member}`, () => refusedBy('blocks', body, member));

  for (const [body, member] of [
    [{}, 'action'], [{ action: 'tag' }, 'action'], [{ action: 'nuke' }, 'action'], [{ action: null }, 'action'], [{ action: 'block', for: '1w' }, 'for'],
    [{ action: 'block', reason: 'r'.repeat(501) }, 'reason'], [{ action: 'block', kind: 'ip' }, 'kind'],
  ]) test(`to act with ${JSON.stringify(body).slice(0, 60)} is refused by ${member}`, () => refusedBy(`sessions/${session}/actions`, body, member));

  async function refusedBy(path, body, member) {
    const { detail } = await problem(await pair.admin(`api/v1/${path}`, order(body)), 400);
    assert.ok(detail.includes(`\`${member}\``), detail);
  }

  for (const [path, body] of [['lookup', { value: 'x' }], ['blocks', IP], ['sessions/{id}/actions', { action: 'block' }]]) {
    test(`to ${path} with another after it is refused`, async () => {
      const text = JSON.stringify(body);
      for (const rest of ['x', '}', text]) await problem(await post(path.replace('{id}', session), `${text} ${rest}`), 400, rest);
    });
  }

  test('that names a member twice is refused', async () => {
    await problem(await post('blocks', '{"kind":"ip","value":"192.0.2.9","value":"192.0.2.10"}'), 400);
  });

  test('that was refused has done nothing', async () => {
    assert.deepEqual([(await ask(pair, 'blocks')).items, (await ask(pair, 'audit')).items], [[], []]);
  });

  test('of 65,536 bytes is taken and one of a byte more is not', async () => {
    for (const [path, body, status] of [['lookup', { value: 'x' }, 200], [`sessions/${session}/actions`, { action: 'allow' }, 200]]) {
      const text = JSON.stringify(body);
      assert.equal((await post(path, text.padEnd(LIMIT))).status, status);
      await problem(await post(path, text.padEnd(LIMIT + 1)), 413);
      await problem(await post(path, text.padEnd(LIMIT * 20)), 413);
    }
  });

  test('at its other limits is taken', async () => {
    assert.deepEqual((await ask(pair, 'lookup', order({ value: 'v'.repeat(16_384) }))).items, []);
    for (const more of [{ for: '1s' }, { for: '365d' }, { reason: 'r'.repeat(500) }, { reason: 'ä'.repeat(250) }, { action: 'throttle' }]) {
      assert.equal((await ask(pair, 'blocks', order({ ...IP, ...more }))).value, IP.value);
      await ask(pair, `blocks?kind=ip&value=${IP.value}`, { method: 'DELETE' });
    }
  });
});
