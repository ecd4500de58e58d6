"""`evertune labels`: labels in bulk, from files and to files."""
