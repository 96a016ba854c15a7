"""How several sentinels stay out of each other's way: claims with fencing tokens, shared facts.

One process needs a file (`sqlite_claims`) or nothing; several share a Redis (`redis_claims`).
"""
