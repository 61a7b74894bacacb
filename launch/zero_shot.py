"""python -m launch.zero_shot: as `tl-jax zero_shot`, from a checkout."""

from tl_jax.launch.main import start

if __name__ == "__main__":
    start("zero_shot")
