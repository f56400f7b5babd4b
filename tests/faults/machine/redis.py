"""A Redis at the time of the test: a real server runs the router's scripts, but `TIME` and expiry follow the test.

`mode` makes it fail: in the ways in which a command is lost on its way there, or its result on its way back.
"""

from __future__ import annotations

import asyncio
from typing import Any, Literal

Mode = Literal['up', 'down', 'lost', 'slow', 'silent']
"""`down`: no connection. `lost`: a command is executed, and its result is lost. `silent`: no result ever comes."""

MODES: tuple[Mode, ...] = ('up', 'down', 'lost', 'slow', 'silent')

SLOW = 0.3
"""Seconds that a slow Redis needs for one command, in each direction half of it."""

PRELUDE = """
local server, now = redis, tonumber(ARGV[#ARGV])
for _, key in ipairs(server.call('ZRANGEBYSCORE', 'ends', '-inf', now)) do
  server.call('DEL', key) server.call('ZREM', 'ends', key)
end
local function expire(key, seconds) server.call('ZADD', 'ends', now + seconds, key) return 1 end
local redis = {call = function(name, key, ...)
  local args = {...}
  if name == 'TIME' then return {tostring(math.floor(now)), tostring(math.floor(now % 1 * 1000000))} end
  if name == 'EXPIRE' then return expire(key, tonumber(args[1])) end
  if name == 'PEXPIRE' then return expire(key, tonumber(args[1]) / 1000) end
  if name == 'PTTL' then
    if server.call('EXISTS', key) == 0 then return -2 end
    local at = server.call('ZSCORE', 'ends', key)
    return at and math.floor((at - now) * 1000) or -1
  end
  if name == 'SET' then
    server.call('SET', key, args[1]) server.call('ZREM', 'ends', key)
    if args[2] then expire(key, tonumber(args[3]) / (args[2] == 'PX' and 1000 or 1)) end
    return 1
  end
  return server.call(name, key, ...)
end}
"""
"""Replaces the commands of a script that depend on the server's clock. `ends` has the end of each key."""


class TimedRedis:
    """A client for `RedisState`, and the `LoopClients` that it gets it from."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.mode: Mode = 'up'
        self.offset = 0.0
        """Seconds by which its clock differs from the loop's."""

    def get(self) -> TimedRedis:
        return self

    async def aclose(self) -> None:
        """Do nothing: the test closes the connection."""

    async def eval(self, script: str, number: int, *values: Any) -> Any:
        mode = self.mode
        if mode == 'down':
            raise ConnectionError('Redis is down')
        if mode == 'silent':
            await asyncio.sleep(1e9)
        await asyncio.sleep(SLOW / 2 if mode == 'slow' else 0)
        now = asyncio.get_running_loop().time() + self.offset
        result = self.server.eval(PRELUDE + script, number, *values, now)
        await asyncio.sleep(SLOW / 2 if mode == 'slow' else 0)
        if mode == 'lost':
            raise ConnectionError('the result is lost')
        return result

    def remove_poison(self) -> None:
        """Delete keys of the wrong type, which a router leaves to the program that stored them."""
        for key in self.server.keys('*'):
            if self.server.type(key) == 'list':
                self.server.delete(key)

    def poison(self, value: str, kind: Literal['value', 'type']) -> None:
        """Replace the stored values of all deployments by another program's."""
        for key in [key for key in self.server.keys('*') if key != 'ends']:
            if key.endswith('cooldown') or (kind == 'value' and key.endswith('slots')):
                continue
            self.server.delete(key)
            if kind == 'type':
                self.server.lpush(key, value)
            elif key.endswith(('requests', 'tokens')):
                self.server.hset(key, mapping={'level': value, 'time': value})
            else:
                self.server.set(key, value)
