"""A short form of scripts/fuzz.py."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tradelift as tl
from tests.fuzz import TARGETS, logs, paths
from tests.fuzz.outcome import Target, balanced, tried
from tradelift.account import Stage
from tradelift.errors import DataError
from tradelift.pipeline import check

EXAMPLES = {"logs": 3}  # each starts an engine
USUAL_EXAMPLES = 40


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_what_users_give_is_accounted_for_or_refused(target, tmp_path):
    tally = Counter()
    n = EXAMPLES.get(target.name.split(" ")[0].rstrip(":"), USUAL_EXAMPLES)

    @settings(max_examples=n, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(target.examples)
    def attempt(example):
        tried(target, example, tmp_path, tally)

    attempt()
    assert tally["examples"] >= min(n, 3)
    assert tally["accepted"] + tally["refused"] == tally["examples"]


def test_a_target_fails_where_rows_are_lost_or_a_message_is_none(tmp_path):
    def losing(_example, _folder):
        return balanced(Stage(name="x", read_rows=3, kept_rows=3), 4)

    def silent(_example, _folder):
        raise DataError("")

    def broken(_example, _folder):
        raise KeyError("x")

    for attempt, error in ((losing, AssertionError), (silent, AssertionError), (broken, KeyError)):
        with pytest.raises(error):
            tried(Target(name="x", examples=st.none(), attempt=attempt), None, tmp_path, Counter())


def refused(name, tmp_path, role="flows"):
    with pytest.raises(DataError) as error:
        paths.attempt({role: [name] if role == "transactions" else name}, tmp_path)
    return str(error.value)


def test_names_that_no_system_has(tmp_path):
    assert "does not exist" in refused("a" * 300, tmp_path)
    assert "does not exist" in refused("pipe", tmp_path)
    assert "is no name and no pattern of files: File name too long" in refused("a" * 300, tmp_path, "transactions")
    assert "'***' is no name and no pattern of files" in refused("***", tmp_path, "transactions")


def test_a_categories_file_that_is_missing_where_no_flow_names_a_category(tmp_path):
    (tmp_path / "study.yaml").write_text("name: a\nflows: flows.csv\ncategories: nothing.csv\n")
    (tmp_path / "flows.csv").write_text("origin,destination,trade\na,b,1\n")
    with pytest.raises(DataError, match="categories file does not exist"):
        check(tl.read_study(tmp_path / "study.yaml"))


def test_money_of_a_log_is_read_as_a_plain_reader_reads_it():
    for value, expected in (
        (2.675, 268),
        ("5.", 500),
        ("1,5", 0),
        ("1e2", 10000),
        (-0.005, -1),
        (None, 0),
        (10**17, 0),
    ):
        assert logs.minor(value, 2) == expected, value
