// The console's files, served under /_throughline/console/. They say nothing by themselves: all that is shown comes from
// the API, with a token. Which requests get here is decided in entry.mjs: what Gateway.begin finds to be no traffic.

import { FILES } from "./console-files.mjs";

const PREFIX = "/_throughline";
const BASE = PREFIX + "/console";
const HEADERS = {
  "cache-control": "no-cache",
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; " +
    "frame-ancestors 'none'; form-action 'none'; require-trusted-types-for 'script'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

// The answer to a request for the console; undefined where it is for something else.
export function consoleAnswer(request, env) {
  // A target that is no path is refused like any other.
  if (!URL.canParse(request.url)) return undefined;
  const { host, hostname, pathname } = new URL(request.url);
  if (!pathname.startsWith(PREFIX)) return undefined;
  const admin = typeof env.ADMIN_HOST === "string" ? env.ADMIN_HOST.trim().toLowerCase() : "";
  if (admin && host !== admin && hostname !== admin) return undefined;
  const wanted = request.method === "GET" || request.method === "HEAD";
  const root = pathname === PREFIX || pathname === PREFIX + "/";
  if (pathname === BASE || (root && wanted && (request.headers.get("accept") ?? "").includes("text/html"))) {
    return new Response(null, { status: 302, headers: { ...HEADERS, location: BASE + "/" } });
  }
  if (!pathname.startsWith(BASE + "/")) return undefined;
  if (!wanted) return new Response(null, { status: 405, headers: { ...HEADERS, allow: "GET, HEAD" } });
  const name = pathname.slice(BASE.length + 1);
  // Every other path is a view, which the program reads from the address.
  const file = Object.hasOwn(FILES, name) ? FILES[name] : FILES["index.html"];
  const headers = { ...HEADERS, etag: file.etag, "content-type": file.type };
  const known = (request.headers.get("if-none-match") ?? "").split(",").some((tag) => tag.trim().replace(/^W\//, "") === file.etag);
  if (known) return new Response(null, { status: 304, headers });
  return new Response(request.method === "HEAD" ? null : file.body, { headers });
}
