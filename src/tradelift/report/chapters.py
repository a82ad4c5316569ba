"""The chapters of the report, and what its front page takes from them."""

from collections.abc import Mapping
from types import MappingProxyType

CHAPTERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "The programme": ("map", "partners", "summary", "partner_shares"),
        "The answer": ("gravity", "balance", "spatial_rd"),
        "Other choices": (
            "bandwidth",
            "control_types",
            "rd_alternatives",
            "matching",
            "placebo",
            "specifications",
        ),
        "For whom, and when": ("concentration", "categories", "traits", "dynamics"),
        "By what means": ("migration", "awareness", "spending", "flights"),
        "How much, and how sure": ("magnitude", "inference", "sensitivity", "spillovers"),
    }
)
"""Exhibits by chapter, in the order of the page."""

OTHERS = "More"
"""The chapter of exhibits that stand in no other."""

DOUBTS: Mapping[str, str] = MappingProxyType(
    {
        "inference": "Errors",
        "bandwidth": "Bandwidth",
        "specifications": "All choices",
        "placebo": "Placebo partners",
        "sensitivity": "What is not observed",
    }
)
"""Exhibits whose finding says how sure the answer is, and what the front page calls each."""


def chapter_of(exhibit: str) -> str:
    """Name the chapter that an exhibit stands in."""
    return next((chapter for chapter, names in CHAPTERS.items() if exhibit in names), OTHERS)
