import pytest

from tests.exhibits.small import one_side, study, two_sides
from tradelift.exhibits.labels import (
    direction_label,
    effect_label,
    in_words,
    label,
    panel_title,
    plain,
    readable,
    signed,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("trade", "Trade (CNY)"),
        ("log(trade)", "ln(Trade)"),
        ("log(distance_km)", "ln(Distance)"),
        ("partner:log(distance_km)", "Partner pair \N{MULTIPLICATION SIGN} ln(Distance)"),
        ("search", "search"),
    ],
)
def test_columns_and_terms_have_names(name, expected):
    assert label(study(), two_sides(), name) == expected


def test_the_labels_of_the_study_win():
    about = study(labels={"trade": "Trade (yuan)", "log(trade)": "Log of trade"})
    assert label(about, two_sides(), "trade") == "Trade (yuan)"
    assert label(about, two_sides(), "log(trade)") == "Log of trade"
    assert label(about, two_sides(), "log1p(trade)") == "log1p(Trade (yuan))"


def test_heads_of_narrow_columns_are_short():
    assert label(study(), two_sides(), "log(trade)", short=True) == "ln(Trade)"
    assert label(study(), two_sides(), "seller_concentration", short=True) == "Seller conc. (%)"


def test_directions_are_named_in_words():
    assert direction_label(two_sides(), "west->east") == "west\N{NO-BREAK SPACE}→\N{NO-BREAK SPACE}east"
    assert panel_title(two_sides(), "both") == "Both directions"
    assert panel_title(one_side(), "both") == "All pairs"
    assert effect_label("origin^period") == "Origin \N{MULTIPLICATION SIGN} period effects"


def test_numbers_have_a_true_minus_and_zero_has_no_sign():
    assert signed(-1234.56) == "\N{MINUS SIGN}1,234.6"
    assert signed(2.0) == "+2.0"
    assert signed(-0.01) == "0.0"
    assert plain(2.0) == "2.0"


def test_columns_stand_in_sentences_without_logarithm_and_unit():
    about = study(labels={"trade": "Trade (yuan)", "log(search)": "Searches, log", "migration": "Migrants"})
    names = ("log(trade)", "log(search)", "log(migration)", "flights")
    assert [in_words(about, two_sides(), n) for n in names] == ["Trade", "Searches, log", "Migrants", "flights"]


def test_names_of_columns_of_estimates_have_directions_in_words():
    panel = two_sides()
    assert readable(panel, "any trade, OLS, both") == "any trade, OLS, both directions"
    assert readable(panel, "100 km; both") == "100 km; both directions"
    assert readable(one_side(), "trade, PPML, both") == "trade, PPML, all pairs"
    assert readable(panel, "100 km; east->west") == "100 km; east\N{NO-BREAK SPACE}→\N{NO-BREAK SPACE}west"
