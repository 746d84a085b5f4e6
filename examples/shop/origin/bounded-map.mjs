// A Map that forgets its oldest entry instead of growing without end: all of the shop's memory is kept in these.

export class BoundedMap extends Map {
  #limit;

  constructor(limit) {
    super();
    this.#limit = limit;
  }

  set(key, value) {
    super.set(key, value);
    if (this.size > this.#limit) this.delete(this.keys().next().value);
    return this;
  }
}
