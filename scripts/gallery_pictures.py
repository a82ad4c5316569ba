"""How the gallery's pictures are taken: pages in Chromium, texts as terminals and notebooks show them, PDFs."""

import subprocess
from collections.abc import Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image, ImageChops, ImageOps

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
COLOURS = 128
WIDTH = 1000
WHITE = "white"
MARGIN = 14
TERMINAL = """<!doctype html><meta charset="utf-8"><style>
body{margin:0;display:inline-block;background:#fff}
pre{margin:0;padding:14px 18px;background:#20272c;color:#e6eaec;font:13px/1.42 "DejaVu Sans Mono",monospace}
b{color:#8fd0a5;font-weight:normal}</style><pre>%s</pre>"""
CELL = """<!doctype html><meta charset="utf-8"><style>
body{margin:0;padding:14px;display:inline-block;font:14px/1.4 "DejaVu Sans",sans-serif;color:#1c2226;background:#fff}
.cell{display:grid;grid-template-columns:4.2em auto;gap:.5em;margin-bottom:.6em}
.n{color:#5b6770;font:12px/2.4 "DejaVu Sans Mono",monospace;text-align:right}
pre{margin:0;padding:.5em .8em;background:#f4f6f7;border:1px solid #dde2e5;font:13px/1.45 "DejaVu Sans Mono",monospace}
table{border-collapse:collapse}td,th{padding:.15em .7em;text-align:right}</style>
<div class="cell"><div class="n">[1]:</div><pre>%s</pre></div>
<div class="cell"><div class="n">[1]:</div><div>%s</div></div>"""


class Camera:
    """
    Takes pictures into a folder.

    Parameters
    ----------
    browser
        Of Playwright.
    folder
        Where pictures go.
    """

    def __init__(self, browser: Any, folder: Path) -> None:
        self.browser, self.folder = browser, folder

    def page(self, address: str, width: int, height: int, scale: float = 1.0) -> Any:
        """Open a page."""
        context = self.browser.new_context(
            viewport={"width": width, "height": height}, device_scale_factor=scale, reduced_motion="reduce"
        )
        page = context.new_page()
        page.goto(address)
        return page

    def keep(self, name: str, picture: Image.Image, width: int | None = None, colours: int = COLOURS) -> None:
        """Write a picture with few colours, at most so wide."""
        picture = picture.convert("RGB")
        if width is not None and picture.width > width:
            picture = picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS)
        # what is rare, as marks on a map, keeps its colour
        small = picture.quantize(colours, method=Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
        small.save(self.folder / f"{name}.png", optimize=True)

    def shoot(self, name: str, *parts: Any, **options: Any) -> None:
        """Take what pages, or elements of them, show, beside each other."""
        self.keep(name, _beside([_taken(part, **options) for part in parts]), WIDTH)

    def element(self, name: str, what: Any, until: Any = None) -> None:
        """Take an element with a margin, down to where another one in it starts."""
        what.scroll_into_view_if_needed()
        box, page = what.bounding_box(), what.page
        end = box["y"] + box["height"] if until is None else until.bounding_box()["y"]
        top = box["y"] + page.evaluate("window.scrollY")
        clip = {"x": box["x"] - 2, "y": top - 2, "width": box["width"] + 4, "height": end - box["y"] + 4}
        self.keep(name, _trimmed(_taken(page, clip=clip, full_page=True)), WIDTH)

    def html(self, name: str, text: str, colours: int = 32) -> None:
        """Take a small page of our own."""
        page = self.browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_content(text)
        self.keep(name, _taken(page.locator("body")), colours=colours)
        page.close()

    def terminal(self, name: str, *said: tuple[str, str]) -> None:
        """Show commands and what they say."""
        text = "\n\n".join(f"<b>$ {escape(command)}</b>\n{escape(output.rstrip())}" for command, output in said)
        self.html(name, TERMINAL % text, colours=32)

    def cell(self, name: str, code: str, output: str) -> None:
        """Show a notebook's cell."""
        self.html(name, CELL % (escape(code), output))

    def pdf(self, name: str, path: Path, pages: Sequence[int], width: int, *, trim: bool = False) -> None:
        """Show pages of a PDF beside each other."""
        with TemporaryDirectory() as folder:
            sheets = [_sheet(path, number, Path(folder)) for number in pages]
        if trim:
            sheets = [_trimmed(sheet) for sheet in sheets]
        else:
            sheets = [ImageOps.expand(sheet, 2, "#c3cacf") for sheet in sheets]
        self.keep(name, _beside(sheets), width)


def _taken(what: Any, **options: Any) -> Image.Image:
    """A picture of a page or an element."""
    with Image.open(BytesIO(what.screenshot(animations="disabled", **options))) as picture:
        return picture.convert("RGB")


def _beside(pictures: Sequence[Image.Image]) -> Image.Image:
    height = max(picture.height for picture in pictures)
    whole = Image.new("RGB", (sum(p.width for p in pictures) + MARGIN * (len(pictures) - 1), height), WHITE)
    left = 0
    for picture in pictures:
        whole.paste(picture, (left, 0))
        left += picture.width + MARGIN
    return whole


def _sheet(path: Path, number: int, folder: Path) -> Image.Image:
    place = folder / f"page{number}"
    command = [
        "pdftoppm",
        "-r",
        "150",
        "-f",
        str(number),
        "-l",
        str(number),
        "-png",
        "-singlefile",
        str(path),
        str(place),
    ]
    subprocess.run(command, check=True)
    with Image.open(place.with_suffix(".png")) as picture:
        return picture.convert("RGB")


def _trimmed(picture: Image.Image) -> Image.Image:
    """Without the white around it."""
    box = ImageChops.difference(picture, Image.new("RGB", picture.size, WHITE)).getbbox()
    return ImageOps.expand(picture.crop(box), MARGIN, WHITE)
