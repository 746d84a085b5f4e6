// What Cloudflare charges beyond what the Workers Paid plan includes, in US dollars: the one table of prices.
//
// As published on 2026-07-07 ("last updated" of both pages; looked up 2026-11-23):
//   https://developers.cloudflare.com/workers/platform/pricing/
//   https://developers.cloudflare.com/durable-objects/platform/pricing/
// The plan itself is 5 dollars a month and includes 10 million requests, 30 million CPU ms, 1 million object requests,
// 400,000 GB-s, 25 billion rows read, 50 million rows written and 5 GB-months; none of that is taken off here.

const MILLION = 1e6;

export const PRICES = {
  date: '2026-07-07',
  workerRequest: 0.30 / MILLION,
  workerCpuMs: 0.02 / MILLION,
  objectRequest: 0.15 / MILLION, // fetch, RPC session or alarm
  objectGbSecond: 12.50 / MILLION, // wall-clock time while awake, at 128 MB whatever is used
  rowRead: 0.001 / MILLION,
  rowWritten: 1.00 / MILLION, // each row deleted, each entry of an index, and each setAlarm() is one
  storedGbMonth: 0.20,
};

const OBJECT_GB = 0.128;
const MONTH_DAYS = 30;
const WASM_FACTOR = 2; // CPU time on workerd against native; see docs/costs.md
const EDGE_CPU_MS = 0.04; // of ours per request; scripts/bench proxy: proxy.cpu_ours less proxy.cpu_passthrough
const OBJECTS_AWAKE = 2; // the shard and the fleet

/**
 * Dollars per million requests, by part, from what a run of `scripts/bench store` counted. The platform's price per
 * Worker request is not in it: it is paid with any Worker in that place.
 *
 * Taken at their upper bound: objects are awake all the time traffic runs; CPU time of objects, which their duration
 * pays for, is paid for again.
 */
export function usdPerMillion(counted, { retentionDays = 30 } = {}) {
  const times = MILLION / counted.requests;
  const objectRequests = counted.flushes + counted.asks + counted.alarms + counted.fleet_syncs;
  return {
    rows_written: counted.rows_written * times * PRICES.rowWritten,
    rows_read: counted.rows_read * times * PRICES.rowRead,
    object_requests: objectRequests * times * PRICES.objectRequest,
    object_duration: counted.traffic_s * times * OBJECTS_AWAKE * OBJECT_GB * PRICES.objectGbSecond,
    stored: (counted.bytes * times / 1e9) * (retentionDays / MONTH_DAYS) * PRICES.storedGbMonth,
    cpu: (EDGE_CPU_MS * MILLION + counted.shard_cpu_ms * times * WASM_FACTOR) * PRICES.workerCpuMs,
  };
}
