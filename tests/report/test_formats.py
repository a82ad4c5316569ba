"""Every table says the same in HTML, LaTeX, Word and CSV; LaTeX compiles as it is."""

import re
import shutil
import subprocess
from collections import Counter
from dataclasses import replace
from html import unescape
from io import BytesIO

import docx
import pytest

from tests.exhibits.small import CHINESE, HOSTILE
from tests.report.test_tables import table
from tradelift.exhibits import Column, DataTable, RegressionTable
from tradelift.report.latex import table_latex
from tradelift.report.latex_text import LETTERS, escape, is_ascii, is_latin
from tradelift.report.tables import table_html
from tradelift.report.word import table_docx

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"

UNSEEN = "\N{ZERO WIDTH SPACE}"
BODY = re.compile(r"\\end(?:first)?head.*?(?=\\toprule)|\\toprule.*?\\midrule", re.DOTALL)
ROW = re.compile(r"^(?:\\addlinespace)?(.*?) ?\\\\\*?$", re.MULTILINE)
MULTICOLUMN = re.compile(r"\\multicolumn\{\d+\}\{(?:@\{\})?\w(?:@\{\})?\}\{(.*)\}")
QUOTES = "\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}"  # LaTeX has no others
SIZES = ("10pt", "12pt")


def read_latex(text):
    """Cells below the heads of a LaTeX table, as readers see them."""
    body = text.split(r"\endlastfoot")[-1] if "longtable" in text.split("\n", 1)[1] else text.split(r"\midrule", 1)[1]
    cells = []
    for row in ROW.findall(re.split(r"\\bottomrule|\\end\{longtable\}", body)[0]):
        for part in re.split(r"(?<!\\)&", row):
            cell = MULTICOLUMN.sub(r"\1", part.strip())
            cells.append(read(re.sub(r"\\textit\{(.*)\}$", r"\1", cell)))
    return Counter(filter(None, cells))


def read(escaped):
    """Undo what escapes a text, longest first."""
    signs = {"-": LETTERS_IN["$-$"]} | {r"\%": "%", "{,}": ","}
    out, rest = "", escaped
    names = sorted([*LETTERS_IN, "{,}"], key=len, reverse=True)
    number = re.fullmatch(r"\(?-?[\d{},.]+(\\%)?\)?", escaped) is not None
    while rest:
        name = next((n for n in names if rest.startswith(n)), rest[0])
        out += signs.get(name, LETTERS_IN.get(name, name)) if number else LETTERS_IN.get(name, name)
        rest = rest[len(name) :]
    return out.replace(UNSEEN, "")


LETTERS_IN = {written: letter for letter, written in LETTERS.items() if letter not in QUOTES}


def read_html(text):
    """Cells below the heads of the tables of a page."""
    cells = []
    for body in re.findall(r"<tbody.*?</tbody>", text, flags=re.DOTALL):
        for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", body, flags=re.DOTALL):
            lines = re.split(r"<br ?/?>|\n", cell)
            cells += [unescape(re.sub(r"<[^>]+>", "", line)).replace(UNSEEN, "").strip() for line in lines]
    return Counter(filter(None, cells))


def read_docx(content):
    """Cells below the heads of the table of a Word file."""
    (found,) = docx.Document(BytesIO(content)).tables
    cells = []
    for row in found.rows:
        if not row._tr.xpath("./w:trPr/w:tblHeader"):
            cells += [cell.text for i, cell in enumerate(row.cells) if i == 0 or cell._tc is not row.cells[0]._tc]
    return Counter(filter(None, cells))


@pytest.fixture(scope="module")
def tables(exhibits):
    return [table for shown in exhibits[2].values() for table in shown.tables]


def test_every_cell_of_every_table_is_the_same_in_every_format(tables):
    assert len(tables) > 20
    for folded in tables:
        each = replace(folded, fold=None) if isinstance(folded, DataTable) else folded
        html = read_html(table_html(each))
        assert sum(html.values()) > 3
        # labels stand on several lines where a page has no room for them on one
        assert words(read_docx(table_docx(each))) == words(html), each.name
        assert words(read_latex(table_latex(each))) == words(html), each.name


def words(cells):
    return Counter(word for cell in cells.elements() for word in cell.split(" "))


def test_numbers_stand_under_their_points_and_heads_fit():
    columns = (
        Column(name="who", label="City"),
        Column(name="x", label="A head that is much wider than numbers", kind="number", digits=2),
        Column(name="n", label="Flows", kind="count"),
    )
    rows = (("a", -1234.5, 1000), ("b", 2.0, 7), ("c", float("nan"), None))
    text = table_latex(table(title="t", columns=columns, rows=rows))
    assert r"{@{}lD{.}{.}{7.2}r@{}}" in text  # a minus, four digits and a comma are as wide as seven digits
    assert "a & -1{,}234.50 & 1,000 \\\\" in text
    assert r"c & \multicolumn{1}{c}{n/a} &  \\" in text
    assert text.count(r"\multicolumn{1}{r}{Flows}") == 1
    assert r"City & \multicolumn{1}{c}{numbers}" in text  # heads stand on one ground


def test_the_first_line_says_what_a_paper_must_load():
    upright = table_latex(table(title="t", rows=(("Zürich", 1, 0.5),)))
    assert upright.startswith(
        r"% Needs \usepackage{booktabs,dcolumn} \usepackage[T1]{fontenc}; compile with pdflatex, xelatex or lualatex."
    )
    assert "% Needs \\usepackage{booktabs,array}; compile with pdflatex" in table_latex(
        table(title="t", columns=table().columns[:2], rows=(("a", 1),))
    )
    chinese = table_latex(table(title="t", rows=((CHINESE, 1, 0.5),))).splitlines()[0]
    assert chinese.endswith("has the letters of this table (for Chinese: the package ctex).")
    assert "xelatex or lualatex, with a font" in chinese


def test_long_and_wide_tables_break_and_turn():
    long = table_latex(table(title="t", rows=tuple((f"r{i}", i, 0.5) for i in range(60)), notes=("all of it",)))
    assert "longtable}; compile" in long.replace("{booktabs,dcolumn,", "{")
    assert long.count(r"\multicolumn{1}{r}{Same}") == 2  # heads on the first page, and on the others
    assert long.index("all of it") < long.index(r"\endlastfoot") < long.index("r59")
    names = tuple(Column(name=f"c{i}", label="x" * 12, kind="number") for i in range(14))
    wide = table(title="t", columns=(table().columns[0], *names), rows=(("a", *[1.5] * 14),) * 3)
    assert r"\begin{sidewaystable}" in table_latex(wide)
    assert "booktabs,dcolumn,rotating" in table_latex(wide)
    both = table_latex(DataTable(name="t", title="t", columns=wide.columns, rows=wide.rows * 30, label="who"))
    assert r"\begin{landscape}" in both
    assert "longtable,pdflscape" in both


def test_words_of_several_lines_wrap():
    columns = (Column(name="who", label=""), Column(name="note", label="Why"))
    text = table_latex(table(title="t", columns=columns, rows=(("a", "word " * 30),)))
    assert r">{\raggedright\arraybackslash}p{43.8em}" in text  # what the other column leaves of a page
    wide = table_latex(table(title="t", columns=columns * 3, rows=(("a", "word " * 900) * 3,)))
    assert len(re.findall(r"p\{1[67][.\d]*em\}", wide)) == 3  # together no wider than a page that stands upright
    assert "longtable" in wide
    assert "landscape" not in wide


@pytest.mark.parametrize("letter", LETTERS)
def test_letters_that_latex_reads_otherwise_are_escaped(letter):
    assert escape(f"a{letter}b") == f"a{LETTERS[letter]}b"
    assert is_ascii(letter)


def test_which_letters_need_which_engine():
    assert (is_ascii("Zürich"), is_latin("Zürich"), is_latin(CHINESE), is_latin("Ħal")) == (False, True, False, False)
    assert escape("a\x07b\nc") == "a b c"


def test_word_files_are_read_by_word_processors():
    content = table_docx(table(title=HOSTILE, notes=("a note",), rows=((f"{CHINESE}\x07", 1, 0.5),)))
    document = docx.Document(BytesIO(content))
    assert [p.style.name for p in document.paragraphs] == ["Caption", "Table Note"]
    assert document.paragraphs[0].text == f"Table : {HOSTILE}"  # its number is a field
    assert document.core_properties.title == HOSTILE
    assert read_docx(content) == Counter([f"{CHINESE}\N{REPLACEMENT CHARACTER}", "1", "0.500"])
    assert table_docx(table()) == table_docx(table())


@pytest.mark.parametrize(
    ("columns", "size", "turned"),
    [(8, 10.0, False), (11, 8.0, False), (12, 7.5, False), (13, 10.0, True), (15, 9.0, True)],
)
def test_word_tables_stand_upright_as_long_as_their_letters_can_be_read(columns, size, turned):
    many = tuple(Column(name=f"c{i}", label=f"{i}", kind="number", digits=3) for i in range(columns))
    rows = (("a", *[1234.567] * columns),)
    wide = DataTable(name="t", title="t", columns=(Column(name="who", label=""), *many), rows=rows, label="who")
    document = docx.Document(BytesIO(table_docx(wide)))
    section, run = document.sections[0], document.tables[0].cell(1, 1).paragraphs[0].runs[0]
    assert (section.page_width > section.page_height) == turned
    assert run.font.size.pt == size


@pytest.mark.latex
@pytest.mark.parametrize("letters", SIZES)
def test_every_table_compiles_as_it_is(tables, letters, tmp_path):
    hostile = " ".join([*map(chr, range(0x21, 0x7F)), *LETTERS, "Zürich Łódź Iași"])
    extra = table(name="hostile", title=hostile, notes=(hostile,), rows=((hostile, 1, 0.5), ("[a", 2, -1.0)))
    texts = {each.name: table_latex(each) for each in (extra, *tables)}
    latin = {name: text for name, text in texts.items() if "compile with pdflatex" in text}
    assert len(latin) > 20
    log = compiled("pdflatex", latin, letters, tmp_path)
    assert "Overfull" not in log
    assert "Missing character" not in log
    assert "too large" not in log


@pytest.mark.latex
def test_tables_in_other_scripts_compile_with_the_engine_that_they_name(tables, tmp_path):
    texts = {each.name: table_latex(each) for each in tables}
    others = {name: text for name, text in texts.items() if "compile with xelatex or lualatex" in text}
    assert "partners" in others
    log = compiled("lualatex", others, "10pt", tmp_path)
    assert not any(map(is_latin, re.findall(r"There is no (\S)", log)))  # the font here has no Chinese


def compiled(engine, texts, letters, folder):
    """The log of a paper that takes in tables."""
    if shutil.which(engine) is None:
        pytest.skip(f"{engine} is not installed (Debian: apt-get install texlive-latex-recommended lmodern)")
    encoding = r"\usepackage[T1]{fontenc}\usepackage{lmodern}" if engine == "pdflatex" else ""
    paper = [
        rf"\documentclass[{letters}]{{article}}\usepackage[margin=1in]{{geometry}}{encoding}",
        r"\usepackage{booktabs,dcolumn,longtable,pdflscape,rotating}\begin{document}",
        *(rf"\input{{{name}.tex}}\clearpage" for name in texts),
        r"\end{document}",
    ]
    (folder / "paper.tex").write_text("\n".join(paper), encoding="utf-8")
    for name, text in texts.items():
        (folder / f"{name}.tex").write_text(text, encoding="utf-8")
    for _ in range(2):  # longtables find their widths in the second
        done = subprocess.run(
            [engine, "-interaction=nonstopmode", "-halt-on-error", "paper"],
            check=False,
            cwd=folder,
            capture_output=True,
        )
    log = (folder / "paper.log").read_text(encoding="utf-8", errors="replace")
    assert done.returncode == 0, [line for line in log.splitlines() if line.startswith("!")]
    return log.replace("\n", "")


def test_a_table_without_rows_has_its_heads():
    empty = DataTable(
        name="none",
        title="Nothing",
        rows=(),
        label="a",
        columns=(Column(name="a", label=""), Column(name="b", label="B")),
    )
    assert "B" in table_latex(empty)
    assert docx.Document(BytesIO(table_docx(empty))).tables[0].rows[0].cells[1].text == "B"


def tabs(cell):
    """Where decimal points of a cell of a Word table stand."""
    return [int(tab.get(W + "pos")) for tab in cell._tc.xpath(".//w:tabs/w:tab[@w:val='decimal']")]


def test_numbers_of_word_tables_stand_under_their_points():
    columns = (
        Column(name="who", label="City"),
        Column(name="x", label="X", kind="number", digits=2, least=0.01),
        Column(name="n", label="Flows", kind="count"),
    )
    rows = (("a", -1234.5, 1000), ("b", 0.001, 7), ("c", float("nan"), None))
    (found,) = docx.Document(BytesIO(table_docx(table(title="t", columns=columns, rows=rows)))).tables
    head, first, second, third = found.rows
    (point,) = tabs(first.cells[1])
    assert tabs(second.cells[1]) == [point]
    assert first.cells[1].text == "\N{MINUS SIGN}1,234.50"
    assert second.cells[1].text == "<0.01"
    width = int(first.cells[1]._tc.xpath("./w:tcPr/w:tcW")[0].get(W + "w"))
    assert width / 2 < point < width  # four digits and a sign before it, two digits after it
    for cell in (*head.cells, first.cells[0], first.cells[2], third.cells[1]):  # "n/a" has no point
        assert not tabs(cell)


def test_intervals_and_means_of_thousands_stand_in_the_middle(exhibits):
    (gravity,) = [t for t in exhibits[2]["gravity"].tables if isinstance(t, RegressionTable)]
    (found,) = docx.Document(BytesIO(table_docx(gravity))).tables
    texts = {cell.text: tabs(cell) for row in found.rows for cell in row.cells[1:]}
    assert {bool(points) for text, points in texts.items() if re.fullmatch(r"\(\d\.\d{3}\)", text)} == {True}
    assert {bool(points) for text, points in texts.items() if text.startswith("[")} == {False}
    assert {bool(points) for text, points in texts.items() if text.isdigit()} == {False}
