"""PRIME: what both tiers share, the fast tier's closed forms, and the packet tier's cell."""
