"""python -m launch.few_shot: as `tl-jax few_shot`, from a checkout."""

from tl_jax.launch.main import start

if __name__ == "__main__":
    start("few_shot")
