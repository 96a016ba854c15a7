"""What runs inside Redis: claim, lease and token in one step, by Redis' own clock.

Keys of a fleet, all with one hash tag (of a cluster, one node has them):
`{onhook:NAME}:call:CALL` (hash: who holds it, by which token, its outcome), `...:events:CALL`
(list), `...:open` (calls without an outcome, by the end of their lease), `...:index` (calls by
token), `...:members`. Times are milliseconds, tokens microseconds of Redis' clock, or one more than
the last token where that clock went back: a server that has lost its data gives greater ones too.
"""

from __future__ import annotations

from onhook.sentinel.fleet.claims import MOST_EVENTS
from onhook.sentinel.fleet.redis_client import Script

__all__ = ["CLAIM", "DONE", "FORGET", "LAPSED", "MEMBERS", "RELEASE", "RENEW"]

_CLOCK = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function text(number) return string.format('%.0f', number) end
"""

_FINISHED = """
local function finished(call)
  local f = redis.call('HMGET', call, 'ending', 'incident', 'detail', 'owner', 'token', 'at')
  if not f[1] then return nil end
  return {'finished', f[2], f[1], f[3], f[4], f[5], text(now - tonumber(f[6]))}
end
"""

_HELD = """
-- who may write: the newest token, while there is no outcome; else a refusal
local function lost(call, token)
  local f = redis.call('HMGET', call, 'token', 'ending', 'owner')
  if not f[1] then return {'lost', '', 'gone'} end
  if f[2] then return {'lost', f[3], 'finished'} end
  if f[1] ~= token then return {'lost', f[3], 'taken'} end
  return nil
end
local function append(list, first)
  if first > #ARGV then return end
  local known = {}
  for _, body in ipairs(redis.call('LRANGE', list, 0, -1)) do known[body] = true end
  local kept = redis.call('LLEN', list)
  for i = first, #ARGV do
    if not known[ARGV[i]] then
      known[ARGV[i]] = true
      if kept >= MOST then redis.call('RPOP', list) else kept = kept + 1 end
      redis.call('RPUSH', list, ARGV[i])
    end
  end
end
""".replace("MOST", str(MOST_EVENTS))

CLAIM = Script(
    _CLOCK
    + _FINISHED
    + """
-- KEYS call, events, open, index; ARGV name, owner, nonce, ttl, beyond, keep, most
local call, events, open, index = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local name, owner, nonce, ttl = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local there = redis.call('HMGET', call, 'token', 'owner', 'nonce', 'until', 'ending')
local token = tonumber(there[1] or '0')
if there[5] then
  if token > tonumber(ARGV[5]) then return finished(call) end
  redis.call('DEL', call, events) -- a new incident
elseif there[1] and there[3] == nonce then -- asked again: the answer was lost
  return {'claim', there[1]}
elseif there[1] and tonumber(there[4]) > now then
  return {'held', there[2], text(tonumber(there[4]) - now)}
end
token = text(math.max(token + 1, time[1] * 1000000 + time[2]))
redis.call('HSET', call, 'token', token, 'owner', owner, 'nonce', nonce, 'until', text(now + ttl))
redis.call('ZADD', open, text(now + ttl), name)
redis.call('ZADD', index, token, name)
local many = redis.call('ZCARD', index) - tonumber(ARGV[7])
if many > 0 then redis.call('ZREMRANGEBYRANK', index, 0, many - 1) end
redis.call('PEXPIRE', call, ARGV[6])
redis.call('PEXPIRE', events, ARGV[6])
return {'claim', token}
"""
)

RENEW = Script(
    _CLOCK
    + _HELD
    + """
-- KEYS call, events, open; ARGV name, token, ttl, keep, event...
local call, events, open = KEYS[1], KEYS[2], KEYS[3]
local refused = lost(call, ARGV[2])
if refused then return refused end
append(events, 5)
local ends = text(now + tonumber(ARGV[3]))
redis.call('HSET', call, 'until', ends)
redis.call('ZADD', open, ends, ARGV[1])
redis.call('PEXPIRE', call, ARGV[4])
redis.call('PEXPIRE', events, ARGV[4])
return {'claim', ARGV[2]}
"""
)

RELEASE = Script(
    _CLOCK
    + _HELD
    + """
-- KEYS call, events, open, index; ARGV name, token, keep, incident, ending, detail, event...
local call, events, open, index = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local there = redis.call('HMGET', call, 'token', 'incident', 'ending')
if there[3] and there[1] == ARGV[2] and there[2] == ARGV[4] and there[3] == ARGV[5] then
  return {'released'} -- told again: the answer was lost
end
if not there[1] and ARGV[5] == '' then return {'released'} end
local refused = lost(call, ARGV[2])
if refused then return refused end
append(events, 7)
if ARGV[5] ~= '' then
  redis.call('HSET', call, 'incident', ARGV[4], 'ending', ARGV[5], 'detail', ARGV[6],
    'at', text(now), 'until', '0')
  redis.call('ZREM', open, ARGV[1])
elseif redis.call('LLEN', events) == 0 then -- nothing was told: as if it had not been claimed
  redis.call('DEL', call)
  redis.call('ZREM', open, ARGV[1])
  redis.call('ZREM', index, ARGV[1])
  return {'released'}
else
  redis.call('HSET', call, 'until', text(now))
  redis.call('ZADD', open, text(now), ARGV[1])
end
redis.call('PEXPIRE', call, ARGV[3])
redis.call('PEXPIRE', events, ARGV[3])
return {'released'}
"""
)

DONE = Script(
    _CLOCK
    + _FINISHED
    + """
-- KEYS call
return finished(KEYS[1]) or {'none'}
"""
)

LAPSED = Script(
    _CLOCK
    + """
-- KEYS open; ARGV limit, keep
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', text(now - tonumber(ARGV[2])))
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(now), 'LIMIT', 0, ARGV[1])
"""
)

MEMBERS = Script(
    _CLOCK
    + """
-- KEYS members; ARGV owner, ttl, keep
redis.call('ZADD', KEYS[1], text(now + tonumber(ARGV[2])), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', text(now))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""
)

FORGET = Script(
    """
-- KEYS call, events, open, index; ARGV name
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
return {'forgotten'}
"""
)
