"""Undocumented details of livekit-agents and livekit-api that we lean on: a function each.

None ever raises; where one finds nothing it says so once in the log, and what that costs. Read from
livekit-agents 1.5.0 to 1.8.9 and livekit-api 1.2.2; `tests/livekit/framework/` says what breaks
when one changes.
"""
