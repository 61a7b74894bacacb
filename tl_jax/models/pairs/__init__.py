"""Networks of images and texts together: CLIP and SigLIP."""
