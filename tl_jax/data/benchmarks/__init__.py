"""The named benchmarks: where their files come from, and how they are read."""
