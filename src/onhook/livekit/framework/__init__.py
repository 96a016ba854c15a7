"""Undocumented details of livekit-agents, livekit-api and livekit's rtc: a function each.

None raises because a detail has changed: the log says once what is not there, and what that costs.
Only `plugin_streams` cannot do without: a provider that cannot be a plugin is none. Read from
livekit-agents 1.5.0 to 1.8.9 and livekit-api 1.2.2; `tests/livekit/framework/` says what breaks
when one changes.
"""
