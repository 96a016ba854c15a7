"""The agents of the cases: each has the one line, and the defaults where its case says no more."""
