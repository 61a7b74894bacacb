"""Networks for waves, and how each hears them."""
