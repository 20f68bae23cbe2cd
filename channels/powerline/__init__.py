"""Power-line channel: cables, networks, loads and noise."""
