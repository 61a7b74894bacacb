"""What is done beside a training: with finished runs, with files of weights, or before anything is trained.

In: a run directory, files of weights, or a config.
Out: files for others, predictions, tables, or a description of what a run would do.

`trained/` opens a model of a run: in Python, its predictions, its files for others. `rank.py` scores pretrained models
for a target. `zero_shot.py` names classes in prompts, `cross_modal.py` finds texts of images. `few_shot.py` runs
episodes of new classes on a trunk's features. `preview.py` is --dry_run and --list_params.

There is one way in a program: its launch script (`python -m launch.rank`, `few_shot`, `zero_shot`).
Open first: `run/finished.py`, if you want to do something else with a finished run.
"""
