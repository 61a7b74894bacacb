"""Which pretrained model for which target, from arrays: scores, and how far to trust their ranking."""
