// The notation scripts are written in. A step is plain data:
//   method, target, body?     what is sent; the body is JSON, or text sent as it is
//   save?                     {name: field}: keeps a field of the JSON answer; "{saved.name}" in a later target or body
//                             stands for it (0 when the answer never came)
//   headers?                  further request headers
//   withToken?                sends the access token saved as `access`
//   address?                  which of the client's addresses it comes from; the first unless told
//   attack?                   what this request is an attack of, in the vocabulary of Throughline's detectors
//   wait                      ms of thought before it, given by the actor's pace

export const get = (target, more = {}) => ({ method: 'GET', target, ...more });
export const post = (target, body, more = {}) => ({ method: 'POST', target, body, ...more });
export const put = (target, body, more = {}) => ({ method: 'PUT', target, body, ...more });
export const remove = (target, more = {}) => ({ method: 'DELETE', target, ...more });

/** A path with a query encoded as browsers encode forms: a space becomes "+". */
export const query = (path, parameters) => `${path}?${new URLSearchParams(parameters)}`;

export const login = ({ username, password }) => post('/api/login', { username, password });
export const logout = { method: 'POST', target: '/api/logout' };
export const register = ({ username, password, name, email }) => post('/api/register', { username, password, name, email });

/** Each step with its pause before it; `pace` draws one, in ms. */
export const paced = (steps, pace) => steps.map((step) => ({ ...step, wait: pace() }));

/** How long a person looks at a page: mostly seconds, sometimes a minute. */
export const humanPace = (random) => () => Math.round(2_000 + 58_000 * random.next() ** 3);
export const steadyPace = (ms) => () => ms;
export const toolPace = (random, fastest, slowest) => () => random.int(fastest, slowest);
