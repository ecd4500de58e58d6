"""`evertune demo`: the whole loop, once around, on real data and with real processes."""
