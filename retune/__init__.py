"""Re-tuning: evidence or schedule, job, challenger, certified promotion or rejection, rollback."""
