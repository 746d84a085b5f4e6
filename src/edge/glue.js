// The few functions that are cheaper, or only possible, on the JavaScript side: each saves crossings between Wasm and
// JavaScript on the path of every request. No decision is made here.

// Everything the Worker reads of a request in one string, one crossing. Fields end with a line feed, which neither a
// method, a URL nor a header value can hold.
export function describe(request, names) {
  const headers = request.headers;
  const cf = request.cf;
  let text = request.method + "\n" + request.url + "\n";
  if (cf) {
    const ja4 = cf.botManagement?.ja4;
    text += (cf.country ?? "") + "\n" + (cf.asn ?? "") + "\n" + (cf.colo ?? "") + "\n" + (ja4 ?? "") + "\n";
  } else {
    text += "\n\n\n\n";
  }
  for (const name of names) {
    text += (headers.get(name) ?? "") + "\n";
  }
  return text;
}

// Whether this is a CORS preflight; asked for OPTIONS only.
export function isPreflight(request) {
  return request.headers.has("origin") && request.headers.has("access-control-request-method");
}

// Sends the request on, redirects left to the client. `url` replaces the request's own; `origin` is a service
// binding; `strip` names headers to remove; after `timeout` ms without response headers it fails with "timeout".
export function forward(request, url, origin, strip, timeout) {
  if (strip) {
    request = new Request(url ?? request.url, request);
    for (const name of strip) request.headers.delete(name);
    url = undefined;
  }
  const answer = origin ? origin.fetch(request) : url ? fetch(url, request) : fetch(request);
  return timeout ? within(answer, timeout) : answer;
}

// What is recorded of a response, in one crossing.
export function outcome(response) {
  const headers = response.headers;
  return response.status + "\n" + (headers.get("content-length") ?? "") + "\n" + (headers.has("session-event") ? "1" : "");
}

// The same response without one header; body, status, cookies and WebSocket are kept.
export function withoutHeader(response, name) {
  const copy = new Response(response.body, response);
  copy.headers.delete(name);
  return copy;
}

// One message to a Durable Object and its answer. An answer that is no success fails with its status and text.
export function call(stub, path, body, timeout) {
  const exchange = async () => {
    const response = await stub.fetch("http://object" + path, { method: "POST", body });
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (!response.ok) throw new Error(`${response.status} ${new TextDecoder().decode(bytes)}`);
    return bytes;
  };
  return timeout ? within(exchange(), timeout) : exchange();
}

async function within(promise, ms) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("timeout")), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

export function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// The value of a binding as text; structured ones as JSON, absent ones undefined.
export function binding(env, name) {
  const value = env[name];
  if (value === undefined || value === null) return undefined;
  return typeof value === "string" ? value : JSON.stringify(value);
}
