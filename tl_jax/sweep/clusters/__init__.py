"""A sweep on machines that others hand out: SLURM, Kubernetes, the clouds of SkyPilot.

In: a sweep's directory with its plan, names of runs, the flags of the cluster (`tasks.Asked`).
Out: a script of SLURM's and the jobs submitted with it; manifests for the other two, which are written,
never submitted.

`tasks.py` cuts the runs into tasks, a line of a file each; `slurm.py`, `kubernetes.py` and `skypilot.py` say how a line
becomes a process. `data.py` reads the plan's data sets once beforehand, `task.py` is one task in a pod or on a cloud's
machine, `manifest.py` writes YAML.

Open first: `slurm.py`.
"""
