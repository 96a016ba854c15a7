"""One record for each call: when it ended, who ended it, and what its caller had of a fault.

`CallBook` notices the ends of calls, `RecordStore` keeps the records, `CallWebhook` sends them.
"""
