"""python -m launch.test_time: as `tl-jax test_time`, from a checkout."""

from tl_jax.launch.main import start

if __name__ == "__main__":
    start("test_time")
