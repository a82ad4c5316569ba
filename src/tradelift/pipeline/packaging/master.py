"""
The master command of this replication package: reproduce its outputs and compare them with those that were published.

    python replicate.py

It writes the folder `replication`, says which files are equal, and ends with status 0 if all are, 1 if not, and 3 if
they cannot be, because some cells of the panel are masked and the raw inputs are not here. README.md says more.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent

if not find_spec("tradelift"):
    # the sources as they were at the run; NumPy takes the place of their compiled kernel
    sys.path.insert(0, str(HERE / "code"))

if __name__ == "__main__":
    try:
        import tradelift
        from tradelift.pipeline.packaging import replicate
    except ModuleNotFoundError as error:
        sys.exit(f"{error}. Install what the code needs first: pip install -r requirements.txt")
    try:
        found = replicate(HERE)
    except (tradelift.StudyError, tradelift.DataError, tradelift.DesignError) as mistake:
        sys.exit(f"{mistake}")
    sys.stdout.write("\n".join([*found.lines(), ""]))
    sys.exit(found.status)
