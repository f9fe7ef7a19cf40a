"""The worker's stages on real processes and models."""
