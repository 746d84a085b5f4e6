// Every line of the log is one JSON object: level, time, message and, where it is about one request that carries it, the
// request's W3C traceparent, so that the line is found from the trace. Both sides log through the console.

const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
let traceparent;

for (const level of ["error", "warn"]) {
  const write = console[level].bind(console);
  console[level] = (...parts) => write(JSON.stringify({ level, time: new Date().toISOString(), message: parts.map(String).join(" "), traceparent }));
}

/** What `act` logs is about this request; `act` does not wait for anything. */
export function about(request, act) {
  const carried = request.headers.get("traceparent") ?? "";
  traceparent = TRACEPARENT.test(carried) ? carried : undefined;
  try {
    return act();
  } finally {
    traceparent = undefined;
  }
}
