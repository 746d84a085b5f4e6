// What is only possible, or far cheaper, on the JavaScript side of the Rust code's own calls.

// One message to a Durable Object and its answer. An answer that is no success fails with its status and text.
export async function call(stub, path, body, timeout) {
  const exchange = async () => {
    const response = await stub.fetch("http://object" + path, { method: "POST", body });
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (!response.ok) throw new Error(`${response.status} ${new TextDecoder().decode(bytes)}`);
    return bytes;
  };
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("timeout")), timeout);
  });
  try {
    return await Promise.race([exchange(), late]);
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

// A body that is made as it is read: `parts.next()` answers bytes, or nothing at the end.
export function stream(parts) {
  return new ReadableStream({
    async pull(controller) {
      const part = await parts.next();
      if (part) controller.enqueue(part);
      else controller.close();
    },
    cancel() {
      parts.close();
    },
  }, { highWaterMark: 0 });
}

// Sends a message to a receiver of alerts; answers the status. A redirect is an answer like any other: it is not followed.
export async function post(url, headers, body, timeout) {
  const signal = AbortSignal.timeout(timeout);
  const response = await fetch(url, { method: "POST", headers: Object.fromEntries(headers), body, redirect: "manual", signal });
  response.body?.cancel().catch(() => {});
  return response.status;
}
