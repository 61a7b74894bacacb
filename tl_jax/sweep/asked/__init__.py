"""What a sweep's line asks for: from the texts of its flags, or a file, to points with one value of every name.

In: texts. Out: points; whether they can be run is found out by `sweep/plan.py`.

`space.py` crosses what is asked for; `read.py` reads the right side of a flag, and `numbers.py` has the functions that
may stand there; `values.py` knows the names that may be swept and the types of their values; `spec.py` takes the points
of a Python file instead.

Open first: `space.py`.
"""
