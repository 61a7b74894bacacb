"""Networks for images, and the transformer's blocks that those for other things share."""
