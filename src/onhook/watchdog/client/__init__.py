"""The job's side of the watchdog: connect, start one, tell it what happens."""
