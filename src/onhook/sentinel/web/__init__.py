"""The sentinel's page: calls now, incidents, records, workers, plans and the outage switch.

`page` has the routes, `access` says who may see them, `live` sends what has changed. What is shown
is made in the other modules, which know nothing of HTTP.
"""
