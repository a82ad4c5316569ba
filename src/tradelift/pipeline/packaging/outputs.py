"""The outputs of a run for its package: as they are, written anew without what tells, or withheld."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from typing import Any

from tradelift.exhibits import EXHIBITS
from tradelift.pipeline.finished import PANEL, FinishedRun
from tradelift.pipeline.packaging.amounts import amounts_of
from tradelift.pipeline.packaging.verdicts import Verdict, verdict
from tradelift.report.cutting import without_sections
from tradelift.report.files import TABLE_KINDS, table_bytes

ACCOUNT, ESTIMATES, REPORT = "account.csv", "estimates.csv", "report.html"
FEW_ROWS = 10
ACCOUNT_REASON = (
    "Left out of this package: how many sellers and buyers contribute to what was excluded is not counted. "
    "account.csv has the rows."
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outputs:
    """
    What of the outputs leaves.

    Parameters
    ----------
    rewritten
        Name to content, of those that were written anew.
    withheld
        Names of those that do not leave.
    verdicts
        By exhibit.
    sections
        Name of each section that was taken out of the report, with the reason.
    account
        Amounts, and numbers of rows, that are left out of the account.
    """

    rewritten: Mapping[str, bytes]
    withheld: tuple[str, ...]
    verdicts: Mapping[str, Verdict]
    sections: Mapping[str, str]
    account: int

    def as_they_are(self, run: FinishedRun) -> tuple[str, ...]:
        """Names of the outputs that leave as the run wrote them; the panel leaves otherwise."""
        gone = {*self.rewritten, *self.withheld}
        return tuple(n for n in run.outputs if n not in gone and not n.startswith(PANEL))

    def lines(self) -> Iterator[str]:
        """Say it in sentences."""
        judged, telling = (sum(getattr(v, name) for v in self.verdicts.values()) for name in ("judged", "telling"))
        yield f"Outputs: {judged:,} sums and values of cells judged, {telling:,} may not leave."
        for name, found in self.verdicts.items():
            if found.telling or found.reason:
                yield f"  {name}: {found.telling:,} of {found.judged:,} may not leave"
        if self.account:
            yield f"  account.csv: {self.account:,} amounts and small numbers of rows left out"
        if self.sections:
            yield f"  report.html: without {', '.join(self.sections)}"
        if self.withheld:
            yield f"  withheld: {', '.join(self.withheld)}"

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "judged": sum(v.judged for v in self.verdicts.values()),
            "exhibits": {n: {"judged": v.judged, "masked": v.telling} for n, v in self.verdicts.items() if v.judged},
            "account": self.account,
            "rewritten": sorted(self.rewritten),
            "withheld": sorted(self.withheld),
            "report_without": dict(self.sections),
        }


def judge_outputs(run: FinishedRun) -> Outputs:
    """
    Judge every sum and value of cells that the outputs of a run show, by the rules of export.

    Parameters
    ----------
    run
        Whose panel has the numbers of contributors.

    Raises
    ------
    DataError
        If the panel cannot be judged.
    """
    amounts = amounts_of(run)
    verdicts = {name: verdict(name, run, amounts) for name in run.manifest.get("exhibits", {})}
    account, left_out = _account(run)
    rewritten = {}
    if left_out:
        rewritten[ACCOUNT] = account
    for found in verdicts.values():
        rewritten |= {f"tables/{t.name}.{kind}": table_bytes(t, kind) for t in found.tables for kind in TABLE_KINDS}
    gone = {name for name, found in verdicts.items() if found.estimates}
    if gone:
        rewritten[ESTIMATES] = _estimates(run, gone)
    stems = {
        f"{kind}/{name}" for found in verdicts.values() for name in found.withheld for kind in ("tables", "figures")
    }
    withheld = {name for name in run.outputs if name.rsplit(".", 1)[0] in stems}
    sections = {name: found.reason for name, found in verdicts.items() if found.reason}
    if left_out:
        sections["account"] = ACCOUNT_REASON
    if sections and REPORT in run.outputs:
        titles = {name: EXHIBITS[name].title if name in EXHIBITS else name for name in sections}
        titles["account"] = "What is in the panel, and what is not"
        html = run.output(REPORT).read_text(encoding="utf-8")
        rewritten[REPORT] = without_sections(html, sections, titles).encode()
    return Outputs(
        rewritten=rewritten, withheld=tuple(sorted(withheld)), verdicts=verdicts, sections=sections, account=left_out
    )


def _account(run: FinishedRun) -> tuple[bytes, int]:
    """The account without amounts, whose contributors nobody counts, and without numbers of few rows."""
    header, *rows = csv.reader(StringIO(run.output(ACCOUNT).read_text(encoding="utf-8")))
    count, amount = header.index("rows"), header.index("amount")
    left_out = 0
    for row in rows:
        if row[amount] and float(row[amount]):
            row[amount] = ""
            left_out += 1
        if 0 < int(row[count]) < FEW_ROWS:
            row[count] = ""
            left_out += 1
    out = StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows([header, *rows])
    return out.getvalue().encode(), left_out


def _estimates(run: FinishedRun, gone: set[str]) -> bytes:
    """The estimates without those of some exhibits."""
    header, *rows = csv.reader(StringIO(run.output(ESTIMATES).read_text(encoding="utf-8")))
    exhibit = header.index("exhibit")
    out = StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows([header, *(row for row in rows if row[exhibit] not in gone)])
    return out.getvalue().encode()


def without_amounts(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The account of a manifest, without its amounts."""
    return [{**stage, "read_amount": None, "kept_amount": None} for stage in manifest["account"]]
