"""What a function has to be for a sensor, and what is said of one that is none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from assetry import Asset
from assetry.plugin import DefinitionError
from assetry_automation import Observed, SensorContext, sensor


def test_a_sensor_is_called_as_the_function_it_was() -> None:
    @sensor(every="1m30s", timeout="10s", name="files", asset=Asset(key="raw/files", kind="x", executable=False))
    def landed(number: int = 3) -> int:
        return number

    assert landed(4) == 4
    assert (landed.name, landed.every, landed.timeout) == ("files", timedelta(seconds=90), timedelta(seconds=10))
    assert landed.asset == "raw/files"
    assert landed.source.endswith(f"test_sensors.py:{landed.function.__code__.co_firstlineno}")


@pytest.mark.parametrize(
    ("keywords", "told"),
    [
        ({"every": "often"}, "every of sensor 'landed': 'often' is no span of time."),
        ({"every": 0.1}, "every of sensor 'landed' is 0.1, less than a second."),
        ({"every": "1m", "timeout": "never"}, "timeout of sensor 'landed': 'never' is no span of time."),
        ({"every": "1m", "name": " "}, "' ' is no name of a sensor."),
    ],
)
def test_what_cannot_be_read_is_an_error_with_its_place(keywords: Any, told: str) -> None:
    with pytest.raises(DefinitionError) as caught:

        @sensor(**keywords)
        def landed() -> None: ...

    assert caught.value.message == told
    assert "test_sensors.py:" in str(caught.value.where)


def test_a_function_that_cannot_be_called_is_an_error_with_its_place() -> None:
    with pytest.raises(DefinitionError, match="has no interval") as caught:
        sensor(lambda: None)  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match="has no interval"):
        sensor()(lambda: None)
    with pytest.raises(DefinitionError, match="takes context, orders"):

        @sensor(every="1m")
        def two(context: Any, orders: Any) -> None: ...

    with pytest.raises(DefinitionError, match="is async"):

        @sensor(every="1m")
        async def later() -> None: ...

    assert "test_sensors.py:" in str(caught.value.where)


def test_what_is_yielded_returned_or_nothing_is_seen() -> None:
    seen = Observed("raw/files", data_version="1")

    @sensor(every="1m")
    def one() -> Any:
        return seen

    @sensor(every="1m")
    def many(context: SensorContext) -> Any:
        yield Observed(context.name, data_version="1")

    @sensor(every="1m")
    def none() -> None: ...

    context = SensorContext("raw/files", None)  # type: ignore[arg-type]
    assert [each.seen(context) for each in (one, many, none)] == [[seen], [seen], []]
    with pytest.raises(DefinitionError, match="attached to no asset"):
        context.observed("1")
