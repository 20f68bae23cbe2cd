"""Who collides with whom, and how long a transmission takes."""
