"""Networks for texts, token ids and series of numbers, and the pieces of a published network."""
