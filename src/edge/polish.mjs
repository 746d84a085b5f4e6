// Answers of the API on their way out: a tag to compare by, nothing where the client has it already, and compression.

const TAGGED = /^application\/(?:problem\+)?json|^text\/plain/;
/** Shorter ones gain nothing, bytes. */
const WORTH_COMPRESSING = 1024;

/** The answer as this client gets it. Streams are compressed as they are made; server-sent events are left alone. */
export async function polished(request, answer) {
  const type = answer.headers.get("content-type") ?? "";
  const whole = TAGGED.test(type) && !answer.headers.has("content-disposition");
  if (!answer.body || type.startsWith("text/event-stream")) return answer;
  const headers = new Headers(answer.headers);
  let body = answer.body;
  let length = Infinity;
  if (whole) {
    body = await answer.arrayBuffer();
    length = body.byteLength;
    if (answer.status === 200) {
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", body)).subarray(0, 12);
      // Weak: it names what is said, whichever way it is compressed.
      const tag = `W/"${btoa(String.fromCharCode(...digest)).replaceAll("+", "-").replaceAll("/", "_")}"`;
      headers.set("etag", tag);
      if (isGet(request) && knows(request, tag)) {
        for (const name of ["content-type", "content-length"]) headers.delete(name);
        return new Response(null, { status: 304, headers });
      }
    }
  }
  headers.append("vary", "accept-encoding");
  const compresses = length >= WORTH_COMPRESSING && isGet(request) && accepts(request, "gzip") && answer.status === 200;
  // The runtime compresses what is said to be compressed.
  if (compresses) headers.set("content-encoding", "gzip");
  return new Response(request.method === "HEAD" ? null : body, { status: answer.status, headers });
}

const isGet = ({ method }) => method === "GET" || method === "HEAD";

function knows(request, tag) {
  const known = request.headers.get("if-none-match");
  return known !== null && known.split(",").some((each) => each.trim() === "*" || each.trim().replace(/^W\//, "") === tag.replace(/^W\//, ""));
}

/** Whether the client takes this coding (RFC 9110, section 12.5.3); what the platform says the client itself sent counts. */
function accepts(request, coding) {
  const said = request.cf?.clientAcceptEncoding || request.headers.get("accept-encoding") || "";
  const weights = new Map(said.toLowerCase().split(",").map((each) => {
    const [name, ...parameters] = each.split(";").map((part) => part.trim());
    const weight = parameters.find((part) => part.startsWith("q="));
    return [name, weight === undefined ? 1 : Number(weight.slice(2)) || 0];
  }));
  return (weights.get(coding) ?? weights.get("*") ?? 0) > 0;
}
