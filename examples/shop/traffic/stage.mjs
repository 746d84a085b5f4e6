// Where actors enter: gives each its own random stream, client identity, account and starting time, and keeps count.
// What comes out is the plan's list of actors, plain data that says everything about the play in advance.

import { ACCOUNTS, account } from '../demo-data.mjs';
import { Random } from '../random.mjs';
import { Clients } from './clients.mjs';
import { paced } from './steps.mjs';

/** Customers use the seeded accounts before this one; the rest are for attackers: their own, and their victims'. */
export const FIRST_RESERVED = ACCOUNTS - 100;
const SPAN_MS = 2 * 60 * 60 * 1000;

export class Stage {
  actors = [];
  clients = new Clients();
  #random;
  #entered = new Map();
  #accounts = 0;

  constructor(seed) {
    this.#random = new Random(seed);
  }

  get requests() {
    return this.actors.reduce((sum, { steps }) => sum + steps.length, 0);
  }

  /**
   * Lets an actor enter. `script(random, stage)` answers {client, steps, pace, headers?, keepsCookies?}.
   * An actor leaves after `atMost` steps. Answers how many it has.
   */
  enter(label, script, { isAttacker = false, atMost = Infinity } = {}) {
    const number = (this.#entered.get(label) ?? 0) + 1;
    this.#entered.set(label, number);
    const id = `${label}-${number}`;
    const random = this.#random.fork(id);
    const { client, steps, pace, headers = {}, keepsCookies = true } = script(random, this);
    this.actors.push({
      id, label, isAttacker, keepsCookies, client, headers,
      startsAt: random.int(0, SPAN_MS),
      steps: paced(steps.slice(0, atMost), pace),
    });
    return this.actors.at(-1).steps.length;
  }

  /** An account nobody else uses; `isNew` ones have to register first. */
  account(random) {
    if (this.#accounts < FIRST_RESERVED && !random.chance(0.08)) {
      this.#accounts += 1;
      return { ...account(this.#accounts - 1), isNew: false };
    }
    const name = `guest.${random.int(0, 2 ** 31 - 1).toString(36)}`;
    return { username: name, password: `${name}-passphrase`, name: 'New Guest', email: `${name}@example.com`, isNew: true };
  }
}
