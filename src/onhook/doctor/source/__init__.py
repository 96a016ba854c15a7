"""The static check of an agent's file: it is parsed, and never run.

`names` tells what a name stands for; each other module looks for one kind of mistake.
"""
