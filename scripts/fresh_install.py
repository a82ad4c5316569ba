"""
Build the source distribution and from it the wheel, install that into a fresh environment, and use it there.

    python scripts/fresh_install.py [PYTHON ...]      default: this Python
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
EXTRAS = {"explore": ["explore", "out"], "spark": ["run", "study/study.yaml", "--out", "spark", "--engine", "spark"]}
OUTPUTS = ("report.html", "tables/gravity.tex", "tables/gravity.docx", "figures/gravity_trade.pdf", "manifest.json")
USE = """
from importlib.resources import files
import tradelift as tl
from tradelift.solve.compiled import loaded
assert (files("tradelift") / "py.typed").is_file(), "py.typed is not in the wheel"
print(tl.__file__, "compiled" if loaded() else "NumPy alone")
"""
PARQUET = """
from pathlib import Path
from pyarrow import csv, parquet
parquet.write_table(csv.read_csv("study/transactions.csv"), "study/transactions.parquet")
study = Path("study/study.yaml")
study.write_text(study.read_text().replace("transactions.csv", "transactions.parquet"))
"""


def call(*command: object, folder: Path, status: int = 0) -> str:
    """What a command writes, if it ends as it should."""
    done = subprocess.run([str(c) for c in command], check=False, cwd=folder, capture_output=True, text=True)
    if done.returncode != status:
        sys.exit(
            f"{' '.join(map(str, command))}\nended with {done.returncode}, not {status}:\n{done.stdout}{done.stderr}"
        )
    return done.stdout + done.stderr


def build(folder: Path) -> Path:
    """The source distribution, of what version control knows."""
    source = folder / "source"
    names = call("git", "ls-files", "-z", folder=PROJECT).split("\0")
    for name in filter(None, names):
        if (PROJECT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, source / name)
    call(sys.executable, "-m", "build", "--sdist", "--outdir", folder, source, folder=folder)
    (found,) = folder.glob("*.tar.gz")
    return found


def use(python: str, source: Path, folder: Path) -> None:
    """Install into a new environment, and run a study there."""
    folder.mkdir()
    environment = folder / "environment"
    call(python, "-m", "venv", environment, folder=folder)
    own = environment / "bin" / "python"
    pip = [own, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-c", PROJECT / "constraints.txt"]
    call(*pip, source, folder=folder)
    print(call(own, "-I", "-c", USE, folder=folder).strip())
    program = environment / "bin" / "tradelift"
    call(program, "init", "study", folder=folder)
    call(program, "run", "study/study.yaml", "--out", "out", "--only", "gravity", "--quiet", folder=folder)
    missing = [name for name in OUTPUTS if not (folder / "out" / name).is_file()]
    if missing:
        sys.exit(f"A run of the wheel does not write {', '.join(missing)}.")
    call(own, "-c", PARQUET, folder=folder)  # Spark reads no CSV
    for extra, command in EXTRAS.items():
        said = call(program, *command, folder=folder, status=2)
        if f"tradelift[{extra}]" not in said:
            sys.exit(f"Without the extra '{extra}', `tradelift {' '.join(command)}` does not name it: {said}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="tradelift-") as name:
        sdist = build(Path(name))
        for number, interpreter in enumerate(sys.argv[1:] or [sys.executable]):
            use(interpreter, sdist, Path(name) / str(number))
