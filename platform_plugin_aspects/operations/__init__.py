"""What operators look at: checks, status, metrics."""
