"""The explorer in a real browser, driven as a user drives it."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import tradelift as tl
from tests.explore.test_page import WIDE
from tests.pipeline.studies import write_study
from tests.report.browser import ARGUMENTS, CHROMIUM, violations
from tradelift.pipeline import build_panel

TRADELIFT = str(Path(sys.executable).with_name("tradelift"))
ANSWER = "[data-testid=answer]"
CHANGED = f"before => document.querySelector('{ANSWER}')?.innerText !== before"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A finished run, in `out`."""
    folder = tmp_path_factory.mktemp("explore")
    build_panel(tl.read_study(write_study(folder / "mine", WIDE, periods=4)), folder / "out")
    return folder


@pytest.fixture(scope="module")
def address(folder):
    """The explorer's page, served by the command; its home and temporary folder are looked at afterwards."""
    for name in ("home", "tmp"):
        (folder / name).mkdir()
    own = {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp")}
    command = [TRADELIFT, "explore", str(folder / "out"), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | own, cwd=folder) as server:
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()
            assert server.wait(timeout=60) == 0
    assert list((folder / "tmp").iterdir()) == []  # the server ended, and took what it wrote along


@pytest.mark.browser
def test_a_choice_changes_what_follows(address):
    from playwright.sync_api import sync_playwright

    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    requests, complaints, answers = [], [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 1400})
        page.on("request", lambda request: requests.append(request.url))
        page.on("websocket", lambda socket: requests.append(socket.url))
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        page.locator(ANSWER).wait_for(timeout=60_000)
        answers.append(page.locator(ANSWER).inner_text())
        assert "95% interval" in answers[0]
        page.locator("svg[aria-labelledby^='fig-explored-curve']").wait_for()
        page.locator("svg[aria-labelledby^='fig-explored-map']").wait_for()

        page.get_by_text("To follow").wait_for(state="detached")  # without another choice
        assert page.locator("svg[aria-labelledby^='fig-explored-curve']").count() == 1

        answer, curve = _places(page)
        assert answer["x"] + answer["width"] <= curve["x"]
        assert _violations(page) == []
        page.set_viewport_size({"width": 390, "height": 1400})
        answer, curve = _places(page)
        assert answer["y"] + answer["height"] <= curve["y"]  # below, where there is no room beside it
        assert max(place["x"] + place["width"] for place in (answer, curve)) <= 390
        kinds = [box.bounding_box() for box in page.get_by_role("checkbox").all()]
        assert len(kinds) == 4
        assert max(box["x"] + box["width"] for box in kinds) <= 390
        assert _violations(page) == []
        page.set_viewport_size({"width": 1280, "height": 1400})

        page.get_by_role("slider").press("End")
        answers.append(_next(page, answers))
        page.get_by_label("Outcome").select_option(label="Trade, PPML")
        answers.append(_next(page, answers))
        page.get_by_label("Direction").select_option(index=1)
        answers.append(_next(page, answers))
        page.get_by_role("checkbox", name="2: only the first side's").click()
        answers.append(_next(page, answers))
        page.get_by_label("Errors").select_option("pair")
        answers.append(_next(page, answers))
        page.get_by_label("Design").select_option("Gravity")
        answers.append(_next(page, answers))
        page.get_by_text("by month").first.wait_for(state="attached")
        shown = page.content()
        browser.close()
    assert len(set(answers)) == 7
    assert {urlsplit(url).hostname for url in requests if not url.startswith(("data:", "blob:"))} == {"127.0.0.1"}
    assert complaints == []
    assert "tradelift.explore.page" not in shown  # the code stays in the house


def _violations(page):
    """What axe-core finds in what is ours: marimo's page has no landmarks, and its menu no name."""
    return violations(page, "{region: {enabled: false}}", "[['button[aria-haspopup=menu]']]")


def _places(page):
    return [page.locator(what).bounding_box() for what in (ANSWER, "svg[aria-labelledby^='fig-explored-curve']")]


def _next(page, answers):
    page.wait_for_function(CHANGED, arg=answers[-1], timeout=30_000)
    return page.locator(ANSWER).inner_text()


@pytest.mark.browser
def test_without_the_token_there_is_no_page(address):
    bare = address.split("?")[0]
    for url in (bare, f"{bare}?access_token=guess"):
        with urllib.request.urlopen(url) as answer:
            text = answer.read().decode()
        assert "/auth/login" in answer.url
        assert "marimo-code" not in text
    with pytest.raises(urllib.error.HTTPError, match="40"):
        urllib.request.urlopen(f"{bare}api/status/connections")


@pytest.mark.browser
def test_the_server_ends_with_the_command_however_that_ends(folder, tmp_path):
    (tmp_path / "tmp").mkdir()
    own = os.environ | {"TMPDIR": str(tmp_path / "tmp")}
    command = [TRADELIFT, "explore", str(folder / "out"), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=own) as killed:
        port = urlsplit(killed.stdout.readline().strip()).port
        assert _listens(port)
        killed.kill()
    end = time.monotonic() + 20
    while _listens(port) and time.monotonic() < end:
        time.sleep(0.1)
    assert not _listens(port)
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.browser
def test_ctrl_c_ends_it_without_a_word(folder):
    command = [TRADELIFT, "explore", str(folder / "out"), "--no-browser"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as stopped:
        assert _listens(urlsplit(stopped.stdout.readline().strip()).port)
        os.killpg(stopped.pid, signal.SIGINT)  # as a terminal does
        assert stopped.wait(timeout=60) == 0
        assert stopped.stderr.read() == ""


def _listens(port):
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0
