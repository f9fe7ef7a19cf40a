"""Who did what, and when: append-only lines, each carrying the digest of the one before."""
