"""What jobs and the watchdog tell each other over one Unix socket."""
