"""`evertune doctor`: what of this machine and this project would go wrong, and the command that mends it.

A new check is one file with a function that gives findings, and one line in `examine`.
"""
