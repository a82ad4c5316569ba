"""The claims of the paper that a study answers, and where: what docs/paper.md sets beside the simulated world."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Truth = Mapping[str, Any]
Path = tuple[str, ...]

RD, OLS, WEST_EAST = "spatial RD", "log(trade), OLS", "west->east"
ALONE = "spatial RD by OLS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    A number that answers a claim.

    Parameters
    ----------
    what
        The row of the exhibit's table, in words.
    column, term
        Of estimates.csv; empty where a table alone has it.
    table, where, value
        Else the file in tables/, the row's values, and the column of the number; with several rows their range.
    unit
        "%" for differences in logs, "% as it is", "points", "log points", "million", "times", "count" or "p".
    truth
        Keys of truth.json: the truth in the unit of the estimate; empty where there is none.
    """

    what: str
    column: str = ""
    term: str = "partner"
    table: str = ""
    where: Mapping[str, str] | None = None
    value: str = "estimate"
    unit: str = "%"
    truth: Path = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What the paper says, in its words or short, the exhibit that answers it, and its numbers."""

    said: str
    exhibit: str
    answers: tuple[Answer, ...]


def _by_direction(exhibit_column: str, what: str, **more: Any) -> tuple[Answer, ...]:
    """One answer a direction, with the truth of spatial RD on logs."""
    return tuple(
        Answer(what=f"{what}, {words}", column=f"{exhibit_column}, {d}", truth=("average", d, "gaussian"), **more)
        for d, words in (("both", "both directions"), ("east->west", "east → west"), (WEST_EAST, "west → east"))
    )


def _limit(direction: str) -> Path:
    """What gravity tends to: the effect, and the affinity of partners."""
    return ("limits", "log(trade)", direction)


def _trait(name: str, words: str) -> Answer:
    wanted = {"trait": name, "direction": WEST_EAST, "design": RD, "estimator": "OLS"}
    truth = ("traits", name, "difference", WEST_EAST, "gaussian")
    return Answer(what=f"{words}: high less low", table="trait_differences", where=wanted, truth=truth)


def _range(table: str, what: str, **where: str) -> Answer:
    return Answer(what=what, table=table, where={"direction": WEST_EAST} | where, value="percent", unit="% as it is")


def _part(mediator: str, words: str) -> tuple[Answer, ...]:
    column = f"{RD}, {OLS}, {WEST_EAST}, {mediator} held"
    truth = ("mediation", mediator, WEST_EAST)
    return (
        Answer(what=f"{words} held: difference", column=column, term="mediated", unit="log points",
               truth=(*truth, "mediated")),
        Answer(what=f"{words} held: share of the effect", column=column, term="share", unit="times",
               truth=(*truth, "share")),
    )  # fmt: skip


def _category(name: str, words: str) -> Answer:
    return Answer(
        what=f"{words}, {ALONE}",
        column=f"by category, {RD}, {OLS}, {WEST_EAST}",
        term=f"partner[{name}]",
        truth=("categories", WEST_EAST, name, "gaussian"),
    )


def _group(grouping: str, words: str) -> Answer:
    """The gap between two groups of categories, by PPML."""
    wanted = {"grouping": grouping, "direction": WEST_EAST, "design": RD, "group": "difference"}
    return Answer(what=f"{words}: difference", table="category_groups", where=wanted, truth=("gap", grouping))


def _change(direction: str, words: str) -> Answer:
    wanted = {"break": "midyear", "direction": direction, "design": RD, "estimator": "OLS", "when": "change"}
    truth = ("breaks", "midyear", "change", direction, "gaussian")
    return Answer(what=f"after less before, {words}", table="dynamics_breaks", where=wanted, truth=truth)


CLAIMS = (
    Claim(
        said="Among 87 eastern and 110 western cities there are 19,140 directed pairs, .013 of them partners (Table 1)",
        exhibit="summary",
        answers=(
            Answer(what="panel A, partner pairs: mean", table="summary", where={"panel": "pairs"}, value="mean",
                   unit="number"),
            Answer(what="panel A: observations", table="summary", where={"panel": "pairs"}, value="observations",
                   unit="count"),
        ),
    ),
    Claim(
        said="Flows from east to west are an order of magnitude larger (Table 1, panels C and D)",
        exhibit="summary",
        answers=(
            Answer(what="panel C, trade, mean", table="summary", where={"panel": "east->west", "variable": "trade"},
                   value="mean", unit="number"),
            Answer(what="panel D, trade, mean", table="summary", where={"panel": WEST_EAST, "variable": "trade"},
                   value="mean", unit="number"),
        ),
    ),
    Claim(
        said="56 eastern and 81 western cities form 256 directed partner pairs (Table A.1, Figure 1)",
        exhibit="partners",
        answers=(Answer(what="one row a partnership", table="partners", where={}, value="", unit="rows"),),
    ),
    Claim(
        said="Trade between partners is 4.78% of east-west trade, and 5% of western exports (Table A.2)",
        exhibit="partner_shares",
        answers=(
            Answer(what="both directions, pooled", table="partner_shares", where={"direction": "both"}, value="pooled",
                   unit="% as it is"),
            Answer(what="west → east, pooled", table="partner_shares", where={"direction": WEST_EAST}, value="pooled",
                   unit="% as it is"),
        ),
    ),
    Claim(
        said="Being partners is associated with 5.6% more trade; only west to east is significant, 11.9% (gravity)",
        exhibit="gravity",
        answers=(
            Answer(what="ln(Trade), OLS, both directions", column=f"{OLS}, both", truth=_limit("both")),
            Answer(what="east → west", column=f"{OLS}, east->west", truth=_limit("east->west")),
            Answer(what="west → east", column=f"{OLS}, {WEST_EAST}", truth=_limit(WEST_EAST)),
        ),
    ),
    Claim(
        said="Within close proximity partner and control pairs are balanced",
        exhibit="balance",
        answers=(
            Answer(what="all covariates together, near pairs", table="balance", where={"covariate": "joint test"},
                   value="near_p", unit="p"),
            Answer(what="net of regions", table="balance", where={"covariate": "joint test"}, value="net_p", unit="p"),
        ),
    ),
    Claim(
        said="The partnership caused 4.8% more trade; east to west insignificant, west to east 10.0% (spatial RD)",
        exhibit="spatial_rd",
        answers=_by_direction(OLS, "ln(Trade), OLS"),
    ),
    Claim(
        said="That is 2 to 3 billion yuan",
        exhibit="magnitude",
        answers=(
            Answer(what="Spatial RD, OLS, all years, both directions", column="Spatial RD, OLS, both",
                   term="trade, all years", unit="million", truth=("money", "both", "total")),
            Answer(what="west → east", column=f"Spatial RD, OLS, {WEST_EAST}", term="trade, all years", unit="million",
                   truth=("money", WEST_EAST, "total")),
        ),
    ),
    Claim(
        said="Effects on the number of transactions are qualitatively similar",
        exhibit="spatial_rd",
        answers=_by_direction("log(deals), OLS", "ln(Deals), OLS"),
    ),
    Claim(
        said="Robust across bandwidths",
        exhibit="bandwidth",
        answers=(_range("bandwidth", "west → east, no distance term", distance_term="none", donut_km=""),),
    ),
    Claim(
        said="Robust to different types of control pairs",
        exhibit="control_types",
        answers=(_range("control_types", "west → east, every set that identifies"),),
    ),
    Claim(
        said="Robust under alternative implementations of spatial RD",
        exhibit="rd_alternatives",
        answers=(_range("rd_alternatives", "west → east, every design"),),
    ),
    Claim(
        said="Robust across various specifications",
        exhibit="specifications",
        answers=(_range("specifications", "west → east, every specification of spatial RD", design=RD),),
    ),
    Claim(
        said="The partnership does not influence sellers' concentration: small and large sellers gain equally",
        exhibit="concentration",
        answers=(
            Answer(what="seller concentration, ranked in the flow", unit="points",
                   column=f"ratio, {RD}, seller_concentration_flow, OLS, {WEST_EAST}",
                   truth=("zeros", "seller_concentration")),
            Answer(what="top sellers less the rest, PPML", table="concentration_sellers", value="difference",
                   where={"who": "seller", "direction": WEST_EAST, "design": RD},
                   truth=("zeros", "top_against_other_sellers")),
        ),
    ),
    Claim(
        said="The effect is strong for food and beverage, clothing and household goods: exports rise by 12% to 9.6%",
        exhibit="categories",
        answers=(
            _category("food", "food and drink"),
            _category("apparel", "clothing"),
            _category("home", "household goods"),
        ),
    ),
    Claim(
        said="These are comparative advantages of West China and priority investments of the policy",
        exhibit="categories",
        answers=(
            _group("advantage", "comparative advantage less others"),
            _group("priority", "priority less others"),
        ),
    ),
    Claim(
        said="Larger GDP gaps, worse infrastructure, more minorities, GI products and e-commerce firms go with more",
        exhibit="traits",
        answers=(
            _trait("gdp_gap", "GDP gap"),
            _trait("road_density", "roads"),
            _trait("broadband", "broadband"),
            _trait("minority_share", "share of minorities"),
            _trait("gi_products", "products with a protected origin"),
            _trait("ecommerce_firms", "e-commerce firms"),
        ),
    ),
    Claim(
        said="The overall effect decreased following COVID-19; from west to east it remained (here: midyear)",
        exhibit="dynamics",
        answers=(_change("both", "both directions"), _change(WEST_EAST, "west → east")),
    ),
    Claim(
        said="Migration partially explains the effect",
        exhibit="migration",
        answers=_part("log(migration)", "migrants"),
    ),
    Claim(
        said="Consumer awareness, measured by online search, partially mediates the effect",
        exhibit="awareness",
        answers=_part("log(search)", "searches"),
    ),
    Claim(
        said="No evidence of public spending at the end of the year or during the Chinese New Year",
        exhibit="spending",
        answers=(
            Answer(what="more in December, west → east", column=f"{RD}, {OLS}, {WEST_EAST}", term="partner:year end",
                   truth=("spending", "december", WEST_EAST, "gaussian")),
            Answer(what="more at Chinese New Year, west → east", column=f"{RD}, {OLS}, {WEST_EAST}",
                   term="partner:Chinese New Year", truth=("spending", "new_year", WEST_EAST, "gaussian")),
        ),
    ),
    Claim(
        said="Nor by reduced transportation costs, measured by direct flight routes",
        exhibit="flights",
        answers=(
            Answer(what="direct flights, spatial RD, PPML", column=f"{RD}, flights, PPML, both",
                   truth=("zeros", "flights")),
            Answer(what="flights held: difference", column=f"{RD}, {OLS}, {WEST_EAST}, flights held", term="mediated",
                   unit="log points", truth=("mediation", "flights", WEST_EAST, "mediated")),
        ),
    ),
)  # fmt: skip
