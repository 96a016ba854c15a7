"""The watchdog's own process: who is watched, when a job is lost, what is done then."""
