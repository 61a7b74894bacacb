"""What networks are made of: layers, convolutions, masks, and the recipe that each of them hands out."""
