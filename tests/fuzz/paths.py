"""What a study names as a file: folders, links to nothing, pipes, names that no system has, patterns of every kind."""

import os
import shutil

from hypothesis import strategies as st

import tradelift as tl
from tests.fuzz.inputs import FILES
from tests.fuzz.logs import TEXT
from tests.fuzz.outcome import Target, balanced
from tradelift.pipeline import check

NAMES = (
    "regions.csv", "flows.csv", "folder", "folder/", ".", "..", "", " ", "nothing.csv", "link", "loop", "pipe", "dangling.csv",
    "a" * 300, "a/" * 2000, "nul\\0name", "~", "~/x", "*", "**", "**/*", "[", "[a", "***", "log*.csv", "/dev/null", "a\\nb",
    "é", "\\ud800", "*.parquet", "empty.csv", "empty.parquet", "folder/*", "link/../flows.csv", "./flows.csv", "COM1", "-", "file://x",
    "http://localhost:1/x.csv", "s3://bucket/x.parquet", "sqlite://", "regions.csv/x", "?", "{a,b}", "%s", "/proc/self/mem", "dir.parquet",
)  # fmt: skip
names = st.sampled_from(NAMES)
ROLES = ("regions", "partners", "neighbours", "flows", "categories")

examples = st.one_of(
    st.dictionaries(st.sampled_from(ROLES), names, min_size=1, max_size=2),
    st.lists(names, min_size=1, max_size=2).map(lambda patterns: {"transactions": patterns}),
    names.map(lambda name: {"pairs": name}),
)


def lay_out(folder):
    """Good files and everything that is none."""
    for name, text in {**FILES, "log.csv": TEXT, "empty.csv": "", "empty.parquet": ""}.items():
        (folder / name).write_text(text)
    for name in ("folder", "dir.parquet"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir()
    for name, target in {"link": "folder", "loop": "loop", "dangling.csv": "nowhere"}.items():
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)
    (folder / "pipe").unlink(missing_ok=True)
    os.mkfifo(folder / "pipe")


def attempt(given, folder):
    folder = folder / "inside"  # of something that has nothing else
    folder.mkdir(exist_ok=True)
    lay_out(folder)
    lines = ["name: a"]
    if "transactions" in given:
        patterns = ", ".join(f'"{name}"' for name in given["transactions"])
        columns = "time: t, origin: o, destination: d, seller: s, buyer: b, transaction: k, line: l, amount: x"
        lines.append(f"transactions: {{files: [{patterns}], currency: CNY, columns: {{{columns}}}}}")
    else:
        given = {"regions": "regions.csv", "flows": "flows.csv"} | given
        lines += [f'{role}: ["{name}"]' if role == "pairs" else f'{role}: "{name}"' for role, name in given.items()]
    (folder / "study.yaml").write_text("\n".join(lines) + "\n")
    panel, _ = check(tl.read_study(folder / "study.yaml"))
    return balanced(panel.account.stages[0], panel.account.stages[0].read_rows)


TARGET = Target(name="names of files", examples=examples, attempt=attempt)
