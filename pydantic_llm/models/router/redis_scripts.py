"""The scripts that Redis runs for a router, in Lua: https://redis.io/docs/latest/develop/programmability/eval-intro/.

They expect that a clock goes back, that a command is repeated, and that another program stored something else.
"""

from __future__ import annotations

NUMBER = """
local function number(text, default)
  local value = tonumber(text or '')
  if value and value - value == 0 then return value end
  return default
end
"""
"""A function that parses a stored number; another program may have stored anything, `nan` and `inf` too."""

COUNT_SLOTS = """
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
local function count_slots(slots, lease)
  redis.call('ZREMRANGEBYSCORE', slots, '-inf', now)
  for _, late in ipairs(redis.call('ZRANGEBYSCORE', slots, now + lease + 1, '+inf')) do
    redis.call('ZADD', slots, now + lease, late)
  end
  return redis.call('ZCARD', slots)
end
"""
"""The time, and a function that counts the slots of a deployment.

A lease that ends later than a new one would was given before the server's clock went back."""

RESERVE = (
    NUMBER
    + COUNT_SLOTS
    + """
local slots, concurrency, lease, id = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local taken = count_slots(slots, lease)
if concurrency >= 0 and taken >= concurrency then return tostring(tonumber(ARGV[4])) end
local wait, levels = 0, {}
for i = 1, 2 do
  local limit, amount = tonumber(ARGV[3 + 2 * i]), tonumber(ARGV[4 + 2 * i])
  if limit > 0 then
    local known = redis.call('HMGET', KEYS[1 + i], 'level', 'time')
    local level, since = number(known[1], limit), number(known[2], now)
    if since > now then
      since = now
      redis.call('HSET', KEYS[1 + i], 'time', tostring(now))
    end
    level = math.max(math.min(limit, level + (now - since) * limit / 60), -60 * limit)
    levels[i] = {limit, level, amount}
    wait = math.max(wait, (math.min(amount, limit) - level) * 60 / limit)
  end
end
if wait > 0 then return tostring(wait) end
for i, l in pairs(levels) do
  redis.call('HSET', KEYS[1 + i], 'level', tostring(l[2] - l[3]), 'time', tostring(now))
  redis.call('EXPIRE', KEYS[1 + i], 600)
end
redis.call('ZADD', slots, now + lease, id)
redis.call('PEXPIRE', slots, math.ceil(lease * 1000))
return '0'
"""
)
"""Reserve a slot and tokens. Returns '0', or the seconds to wait. Keys: slots, requests, tokens.

The buckets are those of `token_bucket.TokenBucket`, as hashes of their level and the time of its last update. A time in
the future was stored before the server's clock went back. A level below that of an hour's debt is another program's."""

RELEASE = (
    NUMBER
    + """
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return 0 end
local level = redis.call('HGET', KEYS[2], 'level')
if level then
  level = math.min(number(level, tonumber(ARGV[3])) + tonumber(ARGV[2]), tonumber(ARGV[3]))
  redis.call('HSET', KEYS[2], 'level', tostring(level))
end
return 1
"""
)
"""Release a slot and refund tokens. Does nothing if the slot is not taken, since this may be repeated.

Keys: slots, tokens."""

COOL_DOWN = """
local left = redis.call('PTTL', KEYS[1])
if left < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[1]) end
return 1
"""
"""Start a cooldown, or extend one that would end earlier. Its value is its length in milliseconds. Keys: cooldown."""

RECORD_LATENCY = (
    NUMBER
    + """
local before = number(redis.call('GET', KEYS[1]), tonumber(ARGV[1]))
redis.call('SET', KEYS[1], tostring(before + tonumber(ARGV[2]) * (tonumber(ARGV[1]) - before)), 'EX', 3600)
return 1
"""
)
"""Add a measurement to the smoothed latency. Keys: latency."""

STATUS = (
    NUMBER
    + COUNT_SLOTS
    + """
local found = {}
for i = 1, #KEYS, 3 do
  local left, length = redis.call('PTTL', KEYS[i + 1]), number(redis.call('GET', KEYS[i + 1]), 0)
  if left > length then
    redis.call('PEXPIRE', KEYS[i + 1], length)
    left = length
  end
  table.insert(found, count_slots(KEYS[i], tonumber(ARGV[1])))
  table.insert(found, left)
  table.insert(found, redis.call('GET', KEYS[i + 2]) or '')
end
return found
"""
)
"""Return slots taken, cooldown in milliseconds and latency in seconds of each deployment, in one flat list.

A cooldown that would last longer than its length was started before the server's clock went back: it starts again.
Keys: slots, cooldown and latency of each."""
