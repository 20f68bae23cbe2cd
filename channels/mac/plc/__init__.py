"""What both power-line standards share: the line, its frames, contention, polling and exchanges."""
