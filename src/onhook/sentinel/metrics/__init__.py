"""What Prometheus is told of a sentinel, of the calls that it watches, and of their incidents.

docs/metrics.md has every metric. No room, number or text of a person is ever a label.
"""
