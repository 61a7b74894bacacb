"""python -m launch.generalisation: as `tl-jax generalisation`, from a checkout."""

from tl_jax.launch.main import start

if __name__ == "__main__":
    start("generalisation")
