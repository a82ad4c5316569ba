"""
Take the pictures of docs/gallery.md from the demo study.

    python scripts/gallery.py [FOLDER]

FOLDER keeps the demo (about a minute, only where there is none yet). Needs Chromium, pdflatex, LibreOffice Writer and
poppler-utils, as .ci/run installs them.
"""

import os
import re
import subprocess
import sys
import tempfile
import textwrap
import zipfile
from pathlib import Path
from typing import Any

from gallery_pictures import ARGUMENTS, CHROMIUM, Camera
from PIL import Image
from playwright.sync_api import sync_playwright

import tradelift as tl
from tradelift.pipeline.finished import open_run
from tradelift.pipeline.reopening import reopen

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "images" / "gallery"
TRADELIFT = Path(sys.executable).with_name("tradelift")
WIDE, NARROW = (1240, 860), (360, 740)
BROKEN = """name: East-West partnership and e-commerce
regions:
  file: cities.csv
  columns: {region: city, name: name_en, group: province}
  sides: [east, west]
partners: {file: partners.csv, start: 2017-01}
transactions:
  files: log/*.parquet
  columns: {time: paid_at, origin: seller_city, destination: buyer_city, seller: seller_id, buyer: buyer_id,
            transaction: order_id, amount: amount, status: status}
  keep: {status: [paid, done]}
  time_zone: Asia/Shangai
  currency: CNY
model: {bandwith_km: 150}
"""
MOST_LINES = 24


def tradelift(*arguments: object, folder: Path, status: int = 0) -> str:
    """What a command says, to people and to machines."""
    done = subprocess.run(
        [str(TRADELIFT), *map(str, arguments)],
        check=False, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=os.environ | {"COLUMNS": "100"},
    )  # fmt: skip
    if done.returncode != status:
        sys.exit(f"tradelift {' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def demo(folder: Path) -> str:
    """Run the demo where there is none; what it said."""
    said = folder / "demo.txt"
    if not said.is_file():
        said.write_text(tradelift("demo", "--out", "demo", folder=folder), encoding="utf-8")
    return said.read_text(encoding="utf-8")


def report(camera: Camera, run: Path) -> None:
    """The report: front page, map, an exhibit, a slider, a phone, and paper."""
    address = (run / "report.html").as_uri()
    page = camera.page(address, *WIDE)
    camera.shoot("report-front", page)
    exhibit = _exhibit(page, "gravity")
    camera.element("exhibit-figure", exhibit, until=exhibit.locator("details.table").first)
    slider = _exhibit(page, "bandwidth").locator("figure").first
    handle = slider.locator("input[type=range]")
    handle.focus()
    for _ in range(2):
        handle.press("ArrowRight")
    camera.element("bandwidth-slider", slider)
    page.locator("#choose-map").select_option(value=_busiest(page))
    camera.element("map-click", _exhibit(page, "map").locator("figure").first)
    page.context.close()
    page = camera.page(address, 1600, 900)
    exhibit = _exhibit(page, "gravity")
    exhibit.locator("details.table > summary").first.click()
    table = exhibit.locator("details.table table").first
    camera.element("exhibit-table", table, until=table.get_by_text("east \N{RIGHTWARDS ARROW} west"))
    page.context.close()
    phones = [camera.page(address, *NARROW) for _ in range(3)]
    _exhibit(phones[1], "map").evaluate("e => e.scrollIntoView()")
    _exhibit(phones[2], "bandwidth").locator("figure").first.evaluate("e => e.scrollIntoView()")
    camera.shoot("phone", *phones)
    for phone in phones:
        phone.context.close()
    with tempfile.TemporaryDirectory() as folder:
        paper = Path(folder) / "report.pdf"
        page = camera.page(address, *WIDE)
        page.pdf(path=paper, prefer_css_page_size=True)
        camera.pdf("print", paper, (1, 2), 1000)
        page.context.close()


def _exhibit(page: Any, name: str) -> Any:
    """The section of an exhibit."""
    return page.locator("section.exhibit", has=page.locator(f"#sec-{name}"))


def _busiest(page: Any) -> str:
    """The place with the most partners."""
    found = page.evaluate(
        "[...document.querySelectorAll('#choose-map option')].map(o => o.value).filter(v => v !== '').map(v => {"
        "const s = document.querySelector('#choose-map'); s.value = v; s.dispatchEvent(new Event('change'));"
        "return [v, document.querySelectorAll('.about tbody tr').length]})"
    )
    return str(max(found, key=lambda one: one[1])[0])


def tables(camera: Camera, run: Path) -> None:
    """A table in LaTeX and Word, compiled and printed."""
    latex = (run / "tables" / "gravity.tex").read_text(encoding="utf-8")
    needs = re.findall(r"\\usepackage\{([^}]*)\}", latex)
    head = "".join(rf"\usepackage{{{name}}}" for name in needs)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "table.tex").write_text(
            rf"\documentclass[11pt]{{article}}\usepackage[margin=2cm]{{geometry}}{head}\pagestyle{{empty}}"
            f"\n\\begin{{document}}\n{latex}\n\\end{{document}}\n",
            encoding="utf-8",
        )
        for _ in range(3):  # long tables find their widths by and by
            _quietly("pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex", folder=folder)
        camera.pdf("table-latex", folder / "table.pdf", (1,), 900, trim=True)
        word = (run / "tables" / "gravity.docx").absolute()
        home = f"-env:UserInstallation={(folder / 'office').as_uri()}"
        _quietly("soffice", home, "--headless", "--convert-to", "pdf", str(word), folder=folder)
        camera.pdf("table-word", folder / "gravity.pdf", (1,), 900, trim=True)


def _quietly(*command: str, folder: Path) -> None:
    done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr}")


def texts(camera: Camera, folder: Path, said: str) -> None:
    """What commands say, and the first rows of what they write."""
    run = folder / "demo"
    camera.terminal("terminal-run", ("tradelift demo", said))
    (folder / "demo" / "world" / "study_with_mistakes.yaml").write_text(BROKEN, encoding="utf-8")
    wrong = tradelift("check", "study_with_mistakes.yaml", folder=folder / "demo" / "world", status=2)
    (folder / "demo" / "world" / "study_with_mistakes.yaml").unlink()
    camera.terminal("terminal-error", ("tradelift check study_with_mistakes.yaml; echo $?", f"{wrong.rstrip()}\n2"))
    camera.terminal("csv", ("head -n 10 demo/estimates.csv | cut -c 1-150", _cut(run / "estimates.csv", 10, 150)))
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        exported = tradelift("export", run, "--to", "panel.csv", folder=place)
        camera.terminal(
            "disclosure",
            ("tradelift export demo --to panel.csv", exported),
            ("head -n 6 panel.csv | cut -c 1-120", _cut(place / "panel.csv", 6, 120)),
        )
        tradelift("package", run, "--to", "package.zip", "--quiet", folder=place)
        with zipfile.ZipFile(place / "package.zip") as package:
            names = package.namelist()
            readme = next(n for n in names if n.endswith("README.md"))
            words = package.read(readme).decode().splitlines()
        camera.terminal(
            "package",
            ("unzip -Z1 package.zip", _tree(names)),
            (
                f"unzip -p package.zip README.md | head -n {MOST_LINES} | fold -s -w 110",
                "\n".join(part for line in words[:MOST_LINES] for part in textwrap.wrap(line, 110) or [""]),
            ),
        )


def _cut(path: Path, lines: int, width: int) -> str:
    """The start of the first lines of a file."""
    return "\n".join(line[:width] for line in path.read_text(encoding="utf-8").splitlines()[:lines])


def _tree(names: list[str]) -> str:
    """Folders with how many files they hold, and files that stand alone."""
    lines: dict[str, int] = {}
    for name in names:
        parts = name.split("/")
        key = "/".join(parts[:2]) + "/" if len(parts) > 2 else name
        lines[key] = lines.get(key, 0) + 1
    return "\n".join(f"{key:<44}{count:,} files" if count > 1 else key for key, count in lines.items())


def notebook(camera: Camera, run: Path) -> None:
    """An estimate as a notebook shows it."""
    estimate = tl.SpatialRD().estimate(reopen(open_run(run)))
    camera.cell("notebook", "tl.SpatialRD().estimate(panel)", estimate._repr_html_())


def explorer(camera: Camera, run: Path) -> None:
    """The explorer, after a choice."""
    with subprocess.Popen(
        [TRADELIFT, "explore", run, "--no-browser"], stdout=subprocess.PIPE, text=True, cwd=run
    ) as server:
        assert server.stdout is not None, "it was asked for"
        page = camera.page(server.stdout.readline().strip(), 1240, 1000)
        page.locator("svg[aria-labelledby^='fig-explored-map']").wait_for()
        page.get_by_label("Outcome").select_option(index=1)
        page.get_by_label("Errors").select_option("pair")  # the run has no curve under these: it grows
        page.get_by_text("To follow").wait_for()
        page.get_by_text("To follow").wait_for(state="detached")
        page.wait_for_load_state("networkidle")
        camera.shoot("explorer", page, full_page=True)
        page.context.close()
        server.terminate()


def figure(camera: Camera, run: Path) -> None:
    """A figure's own file."""
    with Image.open(run / "figures" / "dynamics.png") as picture:
        camera.keep("figure-file", picture, 800)


def main(folder: Path) -> None:
    """Take all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    PICTURES.mkdir(parents=True, exist_ok=True)
    said, run = demo(folder), folder / "demo"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        camera = Camera(browser, PICTURES)
        report(camera, run)
        explorer(camera, run)
        tables(camera, run)
        figure(camera, run)
        texts(camera, folder, said)
        notebook(camera, run)
        browser.close()
    for path in sorted(PICTURES.glob("*.png")):
        print(f"{path.stat().st_size:>9,} {path.name}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory(prefix="tradelift-gallery-") as place:
            main(Path(place))
