"""What is done beside a training: with finished runs, with files of weights, or before anything is trained.

In: a run directory, files of weights, or a config.
Out: files for others, predictions, tables, or a description of what a run would do.

`export.py` writes a trained model as weights, class names, preprocessing and a StableHLO program, tried before it is
trusted. `rank.py` scores pretrained models for a target. `zero_shot.py` names classes in prompts, `cross_modal.py`
finds texts of images. `few_shot.py` runs episodes of new classes on a trunk's features. `preview.py` is --dry_run and
--list_params. `opened.py` finds a model of a run (made again by `run/finished.py`) and checks its data, `model.py` is
that model in Python, `predict.py` its predictions.

There is one way in a program: its launch script (`python -m launch.export`, `rank`, `few_shot`, `zero_shot`).
Open first: `run/finished.py`, if you want to do something else with a finished run.
"""
