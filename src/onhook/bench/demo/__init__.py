"""One agent, four calls: what its caller hears, with and without onhook."""
