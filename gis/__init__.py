"""Where: meters, transformers, feeders, ground and sites on one metric map."""
