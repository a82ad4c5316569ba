from tests.exhibits.small import study, two_sides
from tradelift.exhibits import Shown
from tradelift.exhibits.refused import told_once

MORE = "Reasons of the others: manifest.json."


def test_each_design_is_told_once_with_its_columns_and_first_reason():
    refused = {
        "1 nearest, near, log(trade), both": "No pair (both).",
        "1 nearest, near, log(trade), west->east": "No pair (west->east).",
        "3 nearest, log(trade), both": "Too few.",
        "3 nearest, log(deals), both": "Too few.",
    }
    shown = told_once(2)(study(), two_sides(), Shown(sentences=("First.",)), refused)
    assert shown.sentences == (
        "First.",
        f"Not estimated: 1 nearest, near (log(trade), both; log(trade), west->east): No pair (both). {MORE}",
        "Not estimated: 3 nearest (log(trade), both; log(deals), both): Too few.",
    )
    assert told_once(3)(study(), two_sides(), Shown(sentences=("First.",)), {}).sentences == ("First.",)
