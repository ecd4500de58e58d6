"""MovieLens 100K: which films a user wants, in time order. The data is never shipped: GroupLens forbids it."""
