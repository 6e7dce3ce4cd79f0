-- What wrk sends, taken from the environment (see load.py), and its figures as one line of JSON at the end.
-- A request that never changes has no request() here, so that wrk sends it at no cost.
local env = os.getenv
wrk.method = env("ROWGATE_BENCH_METHOD")
wrk.body = env("ROWGATE_BENCH_BODY")
if wrk.body == "" then wrk.body = nil end
for name, value in env("ROWGATE_BENCH_HEADERS"):gmatch("([^:\n]+): ([^\n]+)") do wrk.headers[name] = value end

local spread = tonumber(env("ROWGATE_BENCH_SPREAD"))
if spread > 0 then
  local path, requests, turn = env("ROWGATE_BENCH_PATH"), {}, 0
  function init()
    for number = 1, spread do
      local target = path:gsub("{}", tostring(number - 1))
      requests[number] = wrk.format(nil, target)
    end
    -- shuffled, always alike: neighbours in the table must not be asked for one after the other
    math.randomseed(6749)
    for number = spread, 2, -1 do
      local other = math.random(number)
      requests[number], requests[other] = requests[other], requests[number]
    end
  end
  function request()
    turn = turn % spread + 1
    return requests[turn]
  end
end

-- Requests that are good once only: made ready before the run, each sent once. What goes beyond is refused by the
-- server, and the run is worth nothing.
local pool = env("ROWGATE_BENCH_POOL")
if pool ~= "" then
  local requests, turn = {}, 0
  function init()
    local file = io.open(pool, "rb")
    while true do
      local length = file:read("*n")
      if not length then break end
      file:read(1)
      requests[#requests + 1] = file:read(length)
    end
    file:close()
  end
  function request()
    if turn < #requests then turn = turn + 1 end
    return requests[turn]
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\nROWGATE {"requests":%d,"microseconds":%d,"bytes":%d,"p50_us":%d,"p99_us":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
