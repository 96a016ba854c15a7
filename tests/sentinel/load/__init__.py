"""A LiveKit server's stand-in that holds thousands of calls, and what is measured with it."""
