"""Who forwards for whom."""
