-- The traffic of `scripts/bench proxy`, for wrk: a shop's API called by 200 sessions.
--
-- Called as `wrk … -s bench-traffic.lua URL -- SECONDS`: after that many seconds no request is started, so that at
-- wrk's own end none is on its way and every count is exact. Prints one line `result {…}` with times in µs.

local ffi = require("ffi")
ffi.cdef [[ typedef struct { long seconds; long micros; } moment; int gettimeofday(moment *now, void *zone); ]]

local SESSIONS = 200
local PREPARED = 4000 -- distinct requests, built before the clock starts and then sent in a circle
local NEVER = 3600000 -- ms
local AGENTS = {
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15",
  "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
  "ShopApp/7.3 (iPhone; iOS 18.1)",
}
local COUNTRIES = { "DE", "FR", "US", "GB", "NL", "PL", "ES", "BR" }
local ITEM = '{"sku":"SKU-%05d","title":"Men\'s shoes & 100%% cotton laces","quantity":%d,"price":%d.99,"note":"leave at the door"}'

local clock = ffi.new("moment")
local function now()
  ffi.C.gettimeofday(clock, nil)
  return tonumber(clock.seconds) + tonumber(clock.micros) / 1e6
end

local function cart() -- about 1 KB of JSON
  local items = {}
  for i = 1, 9 do items[i] = ITEM:format(math.random(99999), math.random(5), math.random(300)) end
  return '{"items":[' .. table.concat(items, ",") .. "]}"
end

-- Weights in percent; each answers method, path and body.
local MIX = {
  { 25, function() return "GET", "/api/products?q=running+shoes&page=" .. math.random(20) .. "&sort=price" end },
  { 25, function() return "GET", "/api/products/" .. math.random(5000) end },
  { 10, function() return "GET", "/api/cart" end },
  { 10, function() return "GET", ("/api/orders/%08x-0000-4000-8000-%012x"):format(math.random(2 ^ 31), math.random(2 ^ 31)) end },
  { 10, function() return "GET", "/api/profile" end },
  { 12, function() return "POST", "/api/cart", cart() end },
  { 8, function() return "POST", "/api/checkout", cart() end },
}

local function prepare()
  local session = math.random(SESSIONS)
  local draw, chosen = math.random(100), nil
  for _, entry in ipairs(MIX) do
    draw = draw - entry[1]
    if draw <= 0 then chosen = entry[2] break end
  end
  local method, path, body = chosen()
  return wrk.format(method, path, {
    ["User-Agent"] = AGENTS[session % #AGENTS + 1],
    ["Accept"] = "application/json, text/plain, */*",
    ["Accept-Language"] = "de-DE,de;q=0.9,en;q=0.7",
    ["Accept-Encoding"] = "gzip, deflate, br, zstd",
    ["Referer"] = "https://shop.example/products",
    ["Origin"] = "https://shop.example",
    ["Cookie"] = ("sid=%032x; theme=dark; consent=yes"):format(session * 2654435761),
    ["Content-Type"] = body and "application/json" or nil,
    ["Sec-Fetch-Mode"] = "cors",
    ["Sec-Fetch-Site"] = "same-origin",
    ["Cache-Control"] = "no-cache",
    ["CF-Connecting-IP"] = ("198.51.100.%d"):format(session),
    ["CF-IPCountry"] = COUNTRIES[session % #COUNTRIES + 1],
  }, body)
end

local requests, sent, deadline = {}, 0, nil

function init(args)
  math.randomseed(42)
  for i = 1, PREPARED do requests[i] = prepare() end
  deadline = now() + tonumber(args[1])
end

function delay() return now() < deadline and 0 or NEVER end

function request()
  sent = sent + 1
  return requests[sent % PREPARED + 1]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(('result {"requests":%d,"p50":%d,"p99":%d,"statusErrors":%d,"socketErrors":%d}\n'):format(
    summary.requests, latency:percentile(50), latency:percentile(99), errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
