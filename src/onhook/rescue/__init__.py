"""The rescue of one call: an engine that climbs the ladder, and what it tells of it."""
