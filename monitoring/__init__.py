"""From the ledger to live accuracy, drift evidence, Prometheus metrics and alert rules."""
