"""Domain generalisation: several labelled domains, tested on one that nothing was given of."""
