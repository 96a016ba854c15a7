"""What `onhook doctor` looks at: the environment, the server, trunks and rules, the agent's source.

`examination` asks and reads, under deadlines; each other module judges one group of facts, purely;
`codes` is the table of everything that can be found.
"""
