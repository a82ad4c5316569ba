"""The report in Debian's Chromium, as the tests drive it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip
AXE = Path(__file__).parent.parent / "browser" / "node_modules" / "axe-core" / "axe.min.js"
PATIENCE = 120  # seconds: a busy machine is no fault of the page
DESKTOP, PHONE = (1280, 900), (360, 740)


@dataclass
class Opened:
    """A page, what it asked for, and what it complained of."""

    page: object
    address: str
    requests: list = field(default_factory=list)
    complaints: list = field(default_factory=list)


@contextmanager
def chromium() -> Iterator:
    """A browser; without Chromium the test is skipped."""
    from playwright.sync_api import sync_playwright

    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def opened(browser, path: Path, size: tuple[int, int] = DESKTOP, **options) -> Iterator[Opened]:
    """A file in the browser; at the end nothing was asked for but the file, and nothing was complained of."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce", **options)
    context.set_default_timeout(1000 * PATIENCE)
    page = context.new_page()
    found = Opened(page, path.as_uri())
    page.on("request", lambda request: found.requests.append(request.url))
    page.on("console", lambda message: found.complaints.append(message.text))
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.on("dialog", lambda dialog: found.complaints.append(dialog.message))
    page.goto(found.address)
    yield found
    context.close()
    assert found.requests == [found.address]
    assert found.complaints == []


def violations(page, rules="{}", exclude="[]") -> list[str]:
    """What axe-core finds, by every rule that it has but those turned off, anywhere but in what is excluded."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed: make browser")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(f"axe.run({{exclude: {exclude}}}, {{resultTypes: ['violations'], rules: {rules}}})")
    assert found["testEngine"]["name"] == "axe-core"
    return [f"{v['id']}: {n['html'][:160]} {n['failureSummary']}" for v in found["violations"] for n in v["nodes"]]
