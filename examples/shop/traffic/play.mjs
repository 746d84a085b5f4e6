// Plays a plan against a base URL: takes the cues in their order, several at a time, each actor one step at a time,
// and never sleeps. The time between requests exists only as `x-dev-time`, for a Worker that takes its clock from there.

import { Agent } from 'node:http';
import { exchange } from './exchange.mjs';
import { Performer } from './performer.mjs';
import { schedule } from './plan.mjs';
import { Truth } from './truth.mjs';

/**
 * Plays `plan` and answers the truth about it. `onRequest({request, response})` is called after every exchange:
 * request is {id, actor, label, attack, at, method, target, headers, body}, response {status, headers, body}.
 * With `simulateClock` every request carries its planned time; the play then ends at the present unless
 * `clockStart` (epoch ms) says when it begins, so that the tokens a shop issues meanwhile have not expired.
 */
export async function playTraffic(plan, { baseUrl, concurrency = 8, simulateClock = false, clockStart = Date.now() - plan.durationMs, onRequest = () => {} }) {
  const base = new URL(baseUrl);
  if (base.protocol !== 'http:') throw new TypeError(`${baseUrl} is not an http: address`);
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const performers = new Map(plan.actors.map((actor) => [actor, new Performer(actor)]));
  const truth = new Truth(plan);

  const perform = async ({ actor, index, at: offset }) => {
    const performer = performers.get(actor);
    const step = actor.steps[index];
    const requestId = `${plan.seed}-${actor.id}-${index}`;
    const request = performer.compose(step, requestId);
    const at = simulateClock ? clockStart + offset : Date.now();
    if (simulateClock) request.headers['x-dev-time'] = String(at);
    const entry = truth.sent({ actor, attack: step.attack, at, requestId, ...request });
    const response = await exchange({ agent, base, ...request });
    truth.answered(entry, response);
    performer.learn(step, response);
    onRequest({ request: { id: requestId, actor: actor.id, label: actor.label, attack: step.attack, at, ...request }, response });
  };

  const cues = schedule(plan)[Symbol.iterator]();
  const takeCues = async () => {
    for (const cue of cues) await performers.get(cue.actor).inTurn(() => perform(cue));
  };
  try {
    await Promise.all(Array.from({ length: concurrency }, takeCues));
  } finally {
    agent.destroy();
  }
  return truth.finish();
}
