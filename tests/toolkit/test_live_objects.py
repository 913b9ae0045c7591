"""Things that invocations share are made once and closed once, whoever lets go last."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from assetry.plugin import IntegrationError
from assetry_toolkit.live_objects import Shared, keep, take


def test_a_text_is_kept_by_what_it_says_and_an_object_by_which_it_is() -> None:
    assert keep("a" + "b" * 50) == keep("a" + "b" * 50)
    one, other = [1], [1]
    assert keep(one) != keep(other)
    assert take(keep(one)) is one


def test_an_object_of_another_process_is_an_error_with_a_next_step() -> None:
    with pytest.raises(IntegrationError, match="not known in this process") as caught:
        take({"given": "none"})
    assert '{"env": "NAME"}' in str(caught.value.hint)


def test_many_threads_share_one_thing_that_is_closed_when_the_last_lets_go() -> None:
    made: list[int] = []
    closed: list[int] = []
    things = Shared[int](close=closed.append)
    inside = threading.Barrier(8)

    def make() -> int:
        made.append(len(made))
        return made[-1]

    def use() -> int:
        with things.lend("account", make) as thing:
            inside.wait(30)
            assert closed == []
            return thing

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: use(), range(8))) == {0}
    assert closed == [0]
    with things.lend("account", make) as again:
        assert again == 1


def test_one_that_cannot_be_made_is_asked_for_again_and_an_error_lets_go() -> None:
    closed: list[str] = []
    things = Shared[str](close=closed.append)
    with pytest.raises(ZeroDivisionError), things.lend("account", lambda: str(1 / 0)):
        pass
    with pytest.raises(KeyError), things.lend("account", lambda: "made"):
        raise KeyError
    assert closed == ["made"]
