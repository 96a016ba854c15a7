"""Healthy and broken calls of the field, at a real phone: what may each caller notice of onhook?

Every test is one call. `make cases` runs all of them and prints what was heard; `CASES_CONTROL=1`
runs them with the guards switched off, to show what the callers would have had.
"""
