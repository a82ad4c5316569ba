import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradelift import DataError
from tradelift.account import Account, Exclusion, Stage


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(-(10**12), 10**12))),
    st.integers(0, 10**6),
    st.integers(-3, 3),
)
def test_a_stage_balances_or_does_not_exist(lost, kept, off):
    exclusions = tuple(Exclusion(reason=str(n), rows=r, amount=a) for n, (r, a) in enumerate(lost))
    read = kept + sum(r for r, _ in lost) + off
    money = 7 * kept + sum(a for _, a in lost)
    make = lambda **more: Stage(name="log", read_rows=read, kept_rows=kept, exclusions=exclusions, **more)  # noqa: E731
    if off:
        with pytest.raises(DataError, match="does not balance"):
            make()
        return
    assert make(read_amount=money, kept_amount=7 * kept).read_rows == read
    with pytest.raises(DataError, match="minor units"):
        make(read_amount=money + 1, kept_amount=7 * kept)


def test_money_is_an_exact_decimal():
    account = Account(currency="CNY", digits=2)
    assert account.money(123456) == "1234.56"
    assert account.money(-5) == "-0.05"
    assert account.money(None) is None
    assert Account(currency="JPY", digits=0).money(7) == "7"


def test_rows_list_the_exclusions():
    stage = Stage(name="log", read_rows=3, kept_rows=1, exclusions=(Exclusion(reason="status", rows=2, amount=150),))
    assert list(Account(stages=(stage,), currency="CNY").rows()) == [
        {"stage": "log", "reason": "status", "rows": 2, "amount": "1.50"}
    ]
