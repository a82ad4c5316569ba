"""The report in a real browser."""

import csv
import re

import pytest

from tests.exhibits.small import CHINESE, HOSTILE, study, two_sides
from tests.report.browser import DESKTOP, PATIENCE, PHONE, chromium, opened, violations
from tradelift.exhibits import EXHIBITS
from tradelift.report.numbers import number

pytestmark = pytest.mark.browser
SIZES = pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
SECONDS = 3.0  # the promise is for the page of a whole study; this one is smaller
MARKS = "circle, path[d], rect[width]"
LETTERS = 10.0  # pixels on the screen


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def figure():
    """The map's data, as the report of the fixture has them."""
    return EXHIBITS["map"].show(study(), two_sides(), {}).figures[0]


def place_of(figure, i):
    return figure.places[i].name


@SIZES
def test_the_report_opens_from_a_file(browser, report, size):
    with opened(browser, report / "report.html", size) as found:
        page = found.page
        headline = page.locator(".lead")
        assert headline.is_visible()
        assert "95% interval" in headline.inner_text()
        assert page.locator("#sure").is_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        page.locator("summary", has_text="lines").click()
        assert page.locator("dl.provenance").is_visible()


def test_the_report_opens_in_an_instant(browser, report):
    """By processor time: what else a machine does is no fault of the page."""
    context = browser.new_context()
    context.set_default_timeout(1000 * PATIENCE)
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto((report / "report.html").as_uri())
    took = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
    context.close()
    assert took["Nodes"] > 1000
    assert 0 < took["ScriptDuration"] < took["TaskDuration"] < SECONDS


@SIZES
def test_every_figure_has_marks(browser, report, size):
    with opened(browser, report / "report.html", size) as found:
        figures = found.page.locator("figure")
        assert figures.count() == len(list((report / "figures").glob("*.svg")))
        for i in range(figures.count()):
            for svg in figures.nth(i).locator("svg[role=img]").all():
                box = svg.bounding_box()
                assert box["width"] > 0.7 * min(size[0], 380), svg.get_attribute("aria-labelledby")
                assert box["height"] > 80
                assert (
                    svg.evaluate(
                        f"s => [...s.querySelectorAll('{MARKS}')].filter(m => m.getBBox().width + m.getBBox().height > 2).length"
                    )
                    > 3
                )
                assert len(svg.locator("title").first.text_content()) > 3


@SIZES
def test_figures_fit_the_screen_with_letters_that_can_be_read(browser, report, size):
    with opened(browser, report / "report.html", size) as found:
        seen = found.page.locator(".panels svg").evaluate_all(
            "all => all.map(s => [s.getAttribute('aria-labelledby'), s.getBoundingClientRect().right,"
            "Math.min(...[...s.querySelectorAll('text')].map(t => "
            "parseFloat(getComputedStyle(t).fontSize) * s.getBoundingClientRect().width / s.viewBox.baseVal.width))])"
        )
        assert len(seen) > 20
        for name, right, letters in seen:
            assert right <= size[0], name
            assert letters >= LETTERS, name
        wide = found.page.locator("figure .scroll").evaluate_all("all => all.map(b => b.querySelector('svg').id)")
        assert len(wide) == 3  # specification curves


@SIZES
def test_nothing_bars_those_who_cannot_see_or_point(browser, report, size):
    with opened(browser, report / "report.html", size) as found:
        assert violations(found.page) == []
        found.page.select_option("#choose-map", index=1)
        found.page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
        assert violations(found.page) == []


def test_the_map_answers_a_click(browser, report, figure):
    link = figure.links[0]
    with opened(browser, report / "report.html") as found:
        page = found.page
        page.locator(f".city[data-i='{link.first}']").click()
        about = page.locator(".about")
        assert place_of(figure, link.first) in about.inner_text()
        assert figure.unit in about.inner_text()
        said = about.locator("dd").all_inner_texts()
        assert said == list(figure.places[link.first].amounts)
        partners = {k.second: k.amounts for k in figure.links if k.first == link.first}
        rows = [row.locator("th, td").all_inner_texts() for row in about.locator("tbody tr").all()]
        assert rows == [[place_of(figure, other), *amounts] for other, amounts in partners.items()]
        tops = (
            "row => [...row.querySelectorAll('th button, td')].map(e => {"
            "const r = document.createRange(); r.selectNodeContents(e); return r.getBoundingClientRect().top})"
        )
        assert len(set(about.locator("tbody tr").first.evaluate(tops))) == 1  # names and numbers on one line
        lines = page.locator(".arcs path")
        on = [i for i in range(lines.count()) if "on" in (lines.nth(i).get_attribute("class") or "")]
        assert on == [i for i, k in enumerate(figure.links) if k.first == link.first]
        near = page.locator(".city.near").evaluate_all("marks => marks.map(m => Number(m.dataset.i))")
        assert sorted(near) == sorted(partners)
        assert page.locator("#choose-map").input_value() == str(link.first)
        page.keyboard.press("Escape")  # the focus is not in the figure, so nothing happens
        page.locator("#choose-map").press("Escape")
        assert about.inner_text() == ""
        assert page.locator(".asked").count() == 0


def test_a_partner_in_the_list_leads_to_it_and_sells_what_the_other_buys(browser, report, figure):
    link = figure.links[0]
    with opened(browser, report / "report.html") as found:
        page = found.page
        page.select_option("#choose-map", str(link.first))
        page.locator(".about tbody button").first.click()
        assert page.locator("#choose-map").input_value() == str(link.second)
        assert page.locator("#choose-map").evaluate("s => s === document.activeElement")
        row = page.locator(".about tbody tr", has_text=place_of(figure, link.first))
        assert row.locator("td").all_inner_texts() == list(reversed(link.amounts))
        page.get_by_role("button", name="Show all").click()
        assert page.locator(".about").inner_text() == ""


def test_pointing_at_the_map_names_a_place_and_shows_its_lines(browser, report, figure):
    link = figure.links[-1]
    with opened(browser, report / "report.html") as found:
        page = found.page
        page.locator(f".city[data-i='{link.second}']").hover()
        assert page.locator(".tip.seen").inner_text().startswith(place_of(figure, link.second))
        assert page.locator(".city.on").get_attribute("data-i") == str(link.second)
        page.mouse.move(5, 5)
        assert page.locator(".tip.seen, .asked").count() == 0


def test_the_map_is_read_by_keyboard_alone(browser, report, figure):
    with opened(browser, report / "report.html") as found:
        page = found.page
        for _ in range(300):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.id") == "choose-map":
                break
        page.keyboard.press("ArrowDown")
        page.locator(".about .name").wait_for()
        chosen = int(page.locator("#choose-map").input_value())
        assert place_of(figure, chosen) in page.locator(".map [role=status]").inner_text()
        assert figure.places[chosen].kind == 0
        options = page.locator("#choose-map option").all_inner_texts()
        assert sorted(options[1:]) == sorted(p.name for p in figure.places)


def test_names_from_users_stay_text(browser, report, figure):
    hostile = next(i for i, p in enumerate(figure.places) if p.name == HOSTILE)
    with opened(browser, report / "report.html") as found:  # a script of theirs would be complained of
        found.page.select_option("#choose-map", str(hostile))
        assert found.page.locator(".about .name").inner_text() == HOSTILE
        assert CHINESE in found.page.locator("#choose-map").inner_text()


def test_no_table_is_wider_than_a_desktop_page(browser, report):
    with opened(browser, report / "report.html") as found:
        found.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        boxes = found.page.locator(".scroll:has(table)")
        assert boxes.count() > 30
        wide = boxes.evaluate_all("all => all.filter(b => b.scrollWidth > b.clientWidth).map(b => b.ariaLabel)")
        assert wide == []


def test_labels_of_rows_stay_in_sight_on_a_phone(browser, report):
    with opened(browser, report / "report.html", PHONE) as found:
        found.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        lefts = (
            "b => [...b.querySelectorAll('caption span, tbody th[scope=row], th[colspan] span')]"
            ".filter(e => !e.closest('details.table caption')).map(e => e.getBoundingClientRect().left)"
        )
        wide = 0
        for box in found.page.locator(".scroll:has(table.regression), .exhibit > .scroll:has(table)").all():
            before = box.evaluate(lefts)
            box.evaluate("b => b.scrollLeft = 40")
            wide += box.evaluate("b => b.scrollLeft") == 40
            assert box.evaluate(lefts) == pytest.approx(before, abs=0.5)
        assert wide > 4


def test_every_outcome_has_a_slider_with_its_own_numbers(browser, report):
    with (report / "tables" / "bandwidth_outcomes.csv").open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["direction"] == "both" and float(r["bandwidth_km"]) == 150]
    assert {(r["outcome"], r["estimator"]) for r in rows} >= {("trade", "PPML"), ("log(deals)", "OLS")}
    with opened(browser, report / "report.html") as found:
        for row in rows:
            name = "flows" if row["percent"] else "ratios"
            box = found.page.locator("figure", has=found.page.locator(f"#along-bandwidth_{name}"))
            own = [r for r in rows if bool(r["percent"]) == bool(row["percent"])]
            box.locator("select").select_option(index=3 * own.index(row))  # three directions each
            said = dict(zip(box.locator("dt").all_inner_texts(), box.locator("dd").all_inner_texts(), strict=True))
            value, digits, unit = (row["percent"], 1, "%") if row["percent"] else (row["estimate"], 3, "")
            assert said["Difference"].removeprefix("+") == number(float(value), digits) + unit
            assert said["Directed partner pairs with near pairs"].split(",")[0] == row["groups"]


@SIZES
def test_the_slider_says_what_the_table_of_bandwidths_has(browser, report, size):
    with (report / "tables" / "bandwidth.csv").open(encoding="utf-8", newline="") as file:
        rows = [
            r
            for r in csv.DictReader(file)
            if r["direction"] == "both" and r["distance_term"] == "none" and not r["donut_km"]
        ]
    with opened(browser, report / "report.html", size) as found:
        page = found.page
        slider, output = page.locator("#along-bandwidth"), page.locator("output[for=along-bandwidth]")
        box = page.locator("figure", has=slider)
        assert output.inner_text() == "150 km"
        slider.focus()
        slider.press("Home")
        for row in rows:
            assert output.inner_text() == f"{float(row['bandwidth_km']):g} km"
            facts = dict(zip(box.locator("dt").all_inner_texts(), box.locator("dd").all_inner_texts(), strict=True))
            assert (
                facts["Difference"]
                == ("+" if float(row["percent"]) > 0 else "") + number(float(row["percent"]), 1) + "%"
            )
            assert facts["Directed partner pairs with near pairs"].split(",")[0] == row["groups"]
            assert box.locator(".points .chosen").count() == 1
            assert slider.get_attribute("aria-valuetext") == output.inner_text()
            assert facts["Difference"] in box.locator("[role=status]").text_content()
            slider.press("ArrowRight")
        marked = box.locator(".points .here").count()
        box.locator("select").select_option(index=1)
        assert box.locator(".points .here").count() == marked
        assert box.locator(".points .chosen").count() <= 1


def test_the_slider_marks_the_estimate_that_it_names(browser, report):
    with opened(browser, report / "report.html") as found:
        page = found.page
        groups = page.locator("figure", has=page.locator("#along-bandwidth")).locator(".points")
        page.locator("#along-bandwidth").press("Home")
        lefts = groups.first.locator("> *").evaluate_all("marks => marks.map(m => m.getBBox().x)")
        assert lefts == sorted(lefts)
        assert groups.first.locator("> *").first.get_attribute("class") == "here chosen"
        page.locator("#along-bandwidth").press("End")
        assert groups.first.locator("> *").last.get_attribute("class") == "here chosen"


def test_without_a_script_everything_can_be_read(browser, report):
    with opened(browser, report / "report.html", java_script_enabled=False) as found:
        page = found.page
        assert page.locator(".lead").is_visible()
        assert not page.locator("#choose-map").is_visible()
        assert not page.locator("#along-bandwidth").is_visible()
        assert page.locator("svg[aria-labelledby^='fig-map-']").is_visible()
        fold = page.locator("details.table").first
        fold.locator("summary").first.click()
        assert fold.locator("table").first.is_visible()


def test_contents_lead_to_every_section(browser, report):
    with opened(browser, report / "report.html") as found:
        page = found.page
        targets = page.locator("nav.wide-only a").evaluate_all("links => links.map(a => a.hash.slice(1))")
        ids = page.locator("section.exhibit h3").evaluate_all("heads => heads.map(h => h.id)")
        assert set(targets) == set(ids) - {"sec-absent"}
        page.locator("nav.wide-only a", has_text="How near is near").click()
        page.locator("nav [aria-current][href='#sec-bandwidth']").wait_for()
        assert abs(page.locator("#sec-bandwidth").bounding_box()["y"]) < 120


def test_the_skip_link_is_the_first_thing_that_a_keyboard_meets(browser, report):
    with opened(browser, report / "report.html") as found:
        found.page.keyboard.press("Tab")
        assert found.page.evaluate("document.activeElement.textContent") == "Skip to the report"
        found.page.keyboard.press("Enter")
        assert found.page.evaluate("document.activeElement.id") == "report"


def test_the_page_prints_on_a4_without_its_controls(browser, report, tmp_path):
    with opened(browser, report / "report.html") as found:
        page = found.page
        page.emulate_media(media="print")
        assert not page.locator("nav.wide-only").is_visible()
        assert not page.locator("#choose-map").is_visible()
        assert page.locator("details.table:not(.long) table").first.is_visible()
        content = page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True, print_background=True)
    pages = re.findall(rb"/Type\s*/Page\b(?!s)", content)
    assert len(pages) > 5
    assert re.search(rb"/MediaBox\s*\[0 0 59[45][\d.]* 84[12][\d.]*\]", content)
