// JSON Web Tokens for the mobile app: an access and a refresh token, signed with Ed25519 (RFC 8037), and the key set
// that lets others verify them. A refresh token works once; using an old one ends its whole family (RFC 9700, 4.14.2).

import { createHash, generateKeyPairSync, randomUUID, sign, verify } from 'node:crypto';
import { BoundedMap } from './bounded-map.mjs';

export const ISSUER = 'https://shop.example';
const ACCESS = { aud: 'shop-api', seconds: 15 * 60 };
const REFRESH = { aud: 'shop-refresh', seconds: 30 * 24 * 60 * 60 };

export class Tokens {
  #now;
  #keys = generateKeyPairSync('ed25519');
  #jwk;
  #current = new BoundedMap(50_000); // token session → id of the one refresh token that still works

  constructor(now) {
    this.#now = now;
    const { x } = this.#keys.publicKey.export({ format: 'jwk' });
    const kid = createHash('sha256').update(x).digest('base64url').slice(0, 16);
    this.#jwk = { kty: 'OKP', crv: 'Ed25519', x, kid, alg: 'EdDSA', use: 'sig' };
  }

  get jwks() {
    return { keys: [this.#jwk] };
  }

  /** A new pair for `user`, in a new token session unless `sid` continues one. */
  issue(user, sid = randomUUID()) {
    const refreshId = randomUUID();
    this.#current.set(sid, refreshId);
    return {
      access_token: this.#sign(user, sid, randomUUID(), ACCESS),
      refresh_token: this.#sign(user, sid, refreshId, REFRESH),
      token_type: 'Bearer',
      expires_in: ACCESS.seconds,
    };
  }

  /** The claims of a valid access token, or null. */
  verifyAccess(token) {
    return this.#verify(token, ACCESS.aud);
  }

  /** The claims of a refresh token, which is thereby used up, or null. */
  takeRefresh(token) {
    const claims = this.#verify(token, REFRESH.aud);
    if (!claims) return null;
    const isCurrent = this.#current.get(claims.sid) === claims.jti;
    this.#current.delete(claims.sid);
    return isCurrent ? claims : null;
  }

  #sign({ username, role }, sid, jti, { aud, seconds }) {
    const exp = Math.floor(this.#now() / 1000) + seconds;
    const header = { alg: 'EdDSA', typ: 'JWT', kid: this.#jwk.kid };
    const signed = `${encode(header)}.${encode({ iss: ISSUER, sub: username, sid, jti, aud, exp, role })}`;
    return `${signed}.${sign(null, Buffer.from(signed), this.#keys.privateKey).toString('base64url')}`;
  }

  #verify(token, aud) {
    const [header, payload, signature, ...rest] = token.split('.');
    if (!signature || rest.length > 0) return null;
    const isOurs = verify(null, Buffer.from(`${header}.${payload}`), this.#keys.publicKey, Buffer.from(signature, 'base64url'));
    if (!isOurs) return null;
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    return claims.aud === aud && claims.exp * 1000 > this.#now() ? claims : null;
  }
}

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
