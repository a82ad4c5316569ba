"""Sections that are taken out of a report leave nothing behind but their title and the reason."""

import pytest

from tradelift.report.cutting import without_sections

PAGE = """<main>
<dt><a href="#sec-one">Doubt</a></dt><dd>secret one</dd>
<dt><a href="#sec-two">Doubt</a></dt><dd>plain</dd>
<section class="exhibit" aria-labelledby="sec-one">
<p class="kicker">1 · One</p>
<h3 id="sec-one">secret finding</h3>
<script type="application/json">{"secret": 1}</script>
</section>
<section class="exhibit" aria-labelledby="sec-two">
<h3 id="sec-two">Two</h3>
</section>
</main>"""


def test_a_section_leaves_its_title_and_the_reason():
    found = without_sections(PAGE, {"one": "It is <private>."}, {"one": "One & all"})
    assert "secret" not in found
    assert '<h3 id="sec-one">One &amp; all</h3>\n<p>It is &lt;private&gt;.</p>\n</section>' in found
    assert found.endswith(PAGE[PAGE.index('<section class="exhibit" aria-labelledby="sec-two">') :])
    assert '<dt><a href="#sec-two">Doubt</a></dt><dd>plain</dd>' in found
    assert without_sections(PAGE, {}, {}) == PAGE


@pytest.mark.parametrize(
    "page",
    [
        PAGE.replace('aria-labelledby="sec-one"', ""),
        PAGE.replace("</section>", ""),
        PAGE + PAGE,
        PAGE.replace('<h3 id="sec-one">', "<h3>"),
        PAGE.replace("secret finding</h3>", 'x</h3><h3 id="sec-x">y</h3>'),
    ],
)
def test_a_page_of_another_shape_is_refused(page):
    with pytest.raises(ValueError, match="does not hold the section 'one' once"):
        without_sections(page, {"one": "why"}, {"one": "One"})
