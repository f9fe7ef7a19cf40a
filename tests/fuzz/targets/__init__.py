"""What is fuzzed: each module lists its `TARGETS`."""
