"""Whether it arrives: physics and media access, from plain arrays to plain arrays."""
