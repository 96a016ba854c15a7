"""Where a sentinel's sightings come from: webhooks, leases of watchdogs, and polling.

`webhooks` and `leases` verify and decode, `receiver` is their HTTP side; `poll` asks the server
under the `budget`. Webhooks are hints: whoever has only the polls learns the same, later.
"""
