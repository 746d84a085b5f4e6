// Seeded randomness: one seed, one stream, always the same numbers. The shop's catalogue and the traffic plan both
// draw from here. `fork` gives each part a stream of its own, so adding a customer changes nobody else's draws.

export class Random {
  #seed;
  #state;

  constructor(seed) {
    this.#seed = String(seed);
    this.#state = fnv1a(this.#seed);
  }

  fork(name) {
    return new Random(`${this.#seed}/${name}`);
  }

  /** A number in [0, 1): mulberry32. */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from `least` to `most`, both included. */
  int(least, most) {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  pick(list) {
    return list[this.int(0, list.length - 1)];
  }

  chance(probability) {
    return this.next() < probability;
  }
}

function fnv1a(text) {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return hash | 0;
}
