// The bare pass-through Worker: forwards every request to the origin and does nothing else.
//
// The baseline of `scripts/bench proxy`, and of the fidelity tests: a difference it shows too is the platform's.
// It reads one binding and builds one request, which is the least that forwarding to an ORIGIN_URL takes.

export default {
  fetch(request, { ORIGIN, ORIGIN_URL }) {
    if (ORIGIN) return ORIGIN.fetch(request);
    const path = request.url.indexOf('/', 8);
    return fetch(new Request(ORIGIN_URL + request.url.slice(path), request), { redirect: 'manual' });
  },
};

// wrangler.toml binds these two, and a Worker must export what is bound to it.
export class Shard {}
export class Fleet {}
