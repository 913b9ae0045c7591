"""What was never made is not read: no place is asked, because some cannot tell it from an empty table."""

import pandas as pd
import pytest
from assetry import AssetContext, Project, StaticPartitionsDefinition, asset
from assetry.errors import ValueStoreError

LETTERS = StaticPartitionsDefinition(["a", "b"])


@asset(partitions_def=LETTERS)
def up(context: AssetContext) -> pd.DataFrame:
    return pd.DataFrame({"letter": [context.partition]})


@asset(partitions_def=LETTERS)
def down(up: pd.DataFrame) -> pd.DataFrame:
    return up


@pytest.fixture(params=["memory:", "parquet:{}/data", "duckdb:{}/w.duckdb"])
def places(request, tmp_path):
    return {"io": request.param.format(tmp_path), "root": tmp_path, "executor": "inline"}


def test_an_input_partition_that_was_never_made_is_named(places):
    with Project([up, down], store="sqlite::memory:", **places) as project:
        project.materialize("up", partition="a")
        result = project.materialize("down", partition="b")
        assert not result.ok
        (failed,) = (each for each in result.outcomes.values() if each.outcome == "failed")
        assert "Partition 'b' of asset 'up' was never made" in failed.message
        assert project.materialize("down", partition="a").ok
        with pytest.raises(ValueStoreError, match="never made") as caught:
            project.load_value("down", partition="b")
        assert "--partition b" in caught.value.hint


def test_what_another_process_made_is_read(tmp_path):
    places = {"io": f"parquet:{tmp_path}/data", "root": tmp_path, "executor": "inline"}
    with Project([up, down], store=f"sqlite:{tmp_path}/s.db", **places) as project:
        project.materialize("up", partition="a")
    with Project([up, down], store=f"sqlite:{tmp_path}/s.db", **places) as project:
        assert project.materialize("down", partition="a").ok
        with Project([up], store=f"sqlite:{tmp_path}/s.db", **places) as other:
            other.materialize("up", partition="b")
        assert project.materialize("down", partition="b").ok


def test_records_that_end_with_their_process_say_nothing_of_what_an_earlier_one_made(tmp_path):
    places = {"io": f"parquet:{tmp_path}/data", "root": tmp_path, "executor": "inline"}
    with Project([up], store="sqlite::memory:", **places) as project:
        project.materialize(partition="a")
    with Project([up, down], store="sqlite::memory:", **places) as project:
        assert project.materialize("down", partition="a").ok
