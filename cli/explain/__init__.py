"""`evertune explain`: why a re-tune job was, what it did, and what came of it. Reports draw the same story."""
