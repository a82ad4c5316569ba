import pytest

from tests.exhibits.small import one_side, study, two_sides
from tradelift.exhibits.labels import direction_label, effect_label, label, panel_title, plain, signed


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("trade", "Trade (CNY)"),
        ("log(trade)", "ln(Trade (CNY))"),
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
