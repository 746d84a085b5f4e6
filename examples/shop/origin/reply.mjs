// How handlers answer: a plain reply {status, body, cookies, events, headers} or a thrown Refusal, and how either is
// written to the wire. Also the two header formats the shop speaks: Set-Cookie and Session-Event.

export class Refusal extends Error {
  constructor(status, message, { headers, events, details } = {}) {
    super(message);
    this.reply = { status, body: { error: message, ...(details && { details }) }, headers, events };
  }
}

/** Writes a reply: JSON unless the body is a string (text) or absent. */
export function send(response, { status, body, headers = {}, cookies = [], events = [] }) {
  const isText = typeof body === 'string';
  const payload = body === undefined ? '' : isText ? body : JSON.stringify(body);
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (cookies.length > 0) response.setHeader('Set-Cookie', cookies);
  if (events.length > 0) response.setHeader('Session-Event', events.join(', '));
  if (body !== undefined) response.setHeader('Content-Type', isText ? 'text/plain; charset=utf-8' : 'application/json');
  if (status !== 204) response.setHeader('Content-Length', Buffer.byteLength(payload));
  response.end(payload);
}

export const sidCookie = (sid) => `sid=${sid}; Path=/; HttpOnly; SameSite=Lax; Max-Age=86400`;
export const clearedSidCookie = 'sid=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0';
export const localeCookie = 'locale=en; Path=/; SameSite=Lax';

/** One member of the Session-Event list, e.g. login-failure;user="ada" (RFC 9651: a Token with parameters). */
export function sessionEvent(name, user) {
  return `${name};user=${structuredString(user)}`;
}

// RFC 9651: a String holds printable ASCII (3.3.3); everything else needs a Display String (3.3.8).
function structuredString(text) {
  if (/^[\x20-\x7e]*$/.test(text)) return `"${text.replace(/["\\]/g, '\\$&')}"`;
  const encoded = [...Buffer.from(text)].map((byte) =>
    byte < 0x20 || byte > 0x7e || byte === 0x22 || byte === 0x25 ? `%${byte.toString(16).padStart(2, '0')}` : String.fromCharCode(byte));
  return `%"${encoded.join('')}"`;
}
