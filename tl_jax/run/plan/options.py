"""What a user may choose without changing a number: where things lie and how they are executed."""

from dataclasses import dataclass

from tl_jax.run.plan.settings import setting

MODES = ("auto", "vmap", "map")
"""Ways to run trials: as measured, at once, one after the other."""


@dataclass(frozen=True)
class Options:
    """Where a run lies and how it is executed; its numbers are the same."""

    run_dir: str = setting(
        "", "Where the run is kept and resumed. Default: a directory under runs/ named by the configuration."
    )
    data_dir: str = setting("", "Folder of the data sets that are not embedded.")
    devices: int = setting(0, "How many devices to use; 0 is all.")
    trials: str = setting(
        "auto",
        "Trials at once (vmap), one after the other (map), or as measured on this machine (auto).",
        choices=MODES,
        word="way to run trials:",
    )
    quiet: bool = setting(False, "Print nothing.", flag="")
    device_bytes: int = setting(
        0, "Training sets that take more bytes stream; 0 is half of the device's memory.", most=(1 << 63) - 1
    )
    workers: int = setting(0, "Processes that read what streams; 0 reads in threads.")
    accept_changes: bool = setting(
        False, "Go on with a run whose data, weights or code have changed; its records say so."
    )
