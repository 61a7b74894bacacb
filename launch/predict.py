"""python -m launch.predict: as `tl-jax predict`, from a checkout."""

from tl_jax.launch.main import start

if __name__ == "__main__":
    start("predict")
