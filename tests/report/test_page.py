"""The report in a real browser."""

from pathlib import Path

import pytest

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip
WIDTHS = (1280, 390)


@pytest.mark.browser
@pytest.mark.parametrize("width", WIDTHS)
def test_the_report_opens_from_a_file(report, width):
    from playwright.sync_api import sync_playwright

    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    address = (report / "report.html").as_uri()
    requests, complaints = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        headline = page.locator(".lead")
        assert headline.is_visible()
        assert "95% interval" in headline.inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for name in ("map", "gravity_trade", "spatial_rd_trade", "bandwidth"):
            box = page.locator(f"svg[aria-labelledby^='fig-{name}-']").bounding_box()
            assert box["width"] > 0.8 * min(width, 380)
        page.locator("summary", has_text="Seed, versions").click()
        assert page.locator("dl").is_visible()
        browser.close()
    assert requests == [address]
    assert complaints == []
