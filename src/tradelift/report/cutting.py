"""Take sections out of a finished report, for hands that may not see them."""

import re
from collections.abc import Mapping

from markupsafe import escape

HEADING = re.compile(r'<h3 id="sec-[^"]*">.*?</h3>', re.DOTALL)


def without_sections(html: str, reasons: Mapping[str, str], titles: Mapping[str, str]) -> str:
    """
    Put the reason in the place of what sections show.

    Parameters
    ----------
    html
        As `report_html` makes it.
    reasons
        Name of a section, as an exhibit's or "account", to a sentence.
    titles
        Name of a section to its title; what it found may be what is to be left out.

    Raises
    ------
    ValueError
        If a section is not there exactly once: then nobody knows what would be left.
    """
    for name, reason in reasons.items():
        start = f'<section class="exhibit" aria-labelledby="sec-{name}">'
        before, found, rest = html.partition(start)
        inside, ended, after = rest.partition("</section>")
        if not found or not ended or start in rest or len(HEADING.findall(inside)) != 1:
            msg = f"The report does not hold the section '{name}' once."
            raise ValueError(msg)
        heading = f'<h3 id="sec-{name}">{escape(titles[name])}</h3>'
        html = f"{before}{start}\n{heading}\n<p>{escape(reason)}</p>\n</section>{after}"
        line = re.compile(rf'<dt><a href="#sec-{re.escape(name)}">.*?</a></dt><dd>.*?</dd>\n?', re.DOTALL)
        html = line.sub("", html)  # what the front page says of it
    return html
