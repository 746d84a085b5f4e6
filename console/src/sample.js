// From what an analyst pastes (a raw request, a HAR, or the form of the API) to the body of `identify`.

/** The body for `POST identify`, or fails with a sentence that says what is missing. */
export function sampleFrom(text) {
  const pasted = text.trim();
  if (pasted === '') throw new Error('Paste a request first.');
  if (pasted.startsWith('{')) return JSON.parse(pasted);
  const [head, ...body] = pasted.replaceAll('\r\n', '\n').split('\n\n');
  const [start, ...lines] = head.split('\n');
  const [, method, target] = /^([A-Za-z-]+) (\S+)(?: HTTP\/[\d.]+)?$/.exec(start.trim()) ?? [];
  if (method === undefined) throw new Error('The first line must be like: GET /api/orders HTTP/1.1');
  const headers = lines.filter((line) => line.trim() !== '').map((line) => {
    const colon = line.indexOf(':', 1);
    if (colon < 0) throw new Error(`This line is no header: ${line}`);
    return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
  });
  const host = headers.find(([name]) => name.toLowerCase() === 'host')?.[1];
  if (!/^https?:/i.test(target) && !host) throw new Error('A Host header, or a whole URL in the first line, is needed.');
  const request = { method: method.toUpperCase(), url: /^https?:/i.test(target) ? target : `https://${host}${target}`, headers };
  if (body.length > 0) request.body = body.join('\n\n');
  return { request };
}
