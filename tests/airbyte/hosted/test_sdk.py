"""The official SDK against the fake server: it sees what our client sees, and it can be the configuration."""

from __future__ import annotations

from typing import Any

import pytest
from airbyte_api import AirbyteAPI, api, models
from assetry.plugin import DefinitionError
from assetry_airbyte import build_airbyte_assets
from assetry_airbyte.hosted.api.service import service_for
from assetry_airbyte.hosted.sdk import options_of
from assetry_airbyte.hosted.settings import Options
from assetry_airbyte.testing import FakeAirbyte
from assetry_airbyte.testing.destinations import CONFIGURATIONS

from tests.airbyte.conftest import Place, RunOf


def application(airbyte: FakeAirbyte, secret: str = FakeAirbyte.client_secret) -> AirbyteAPI:
    credentials = models.SchemeClientCredentials(
        client_id=airbyte.client_id, client_secret=secret, token_url=f"{airbyte.url}/applications/token"
    )
    return AirbyteAPI(server_url=airbyte.url, security=models.Security(client_credentials=credentials))


def test_the_official_sdk_sees_the_same_connections_jobs_and_results(place: Place) -> None:
    airbyte, sdk = place.airbyte, application(place.airbyte)
    for number in range(3):
        connection = airbyte.add_connection(
            f"c{number}", ["users", {"name": "orders", "namespace": "shop"}], tags=["t"]
        )
    made = sdk.jobs.create_job(
        request=models.JobCreateRequest(connection_id=connection.id, job_type=models.JobTypeEnum.SYNC)
    )
    airbyte.finish(1, rows={"users": 7})
    with service_for(Options.of(place.integration()), RunOf().secret) as service:
        listed = sdk.connections.list_connections(request=api.ListConnectionsRequest(workspace_ids=[airbyte.workspace]))
        theirs = {each.connection_id: each for each in listed.connections_response.data}  # type: ignore[union-attr]
        ours = {each.id: each for each in map(_read, service.connections(airbyte.workspace))}
        assert set(theirs) == set(ours) == set(airbyte.connections)
        for id_, mine in ours.items():
            other = theirs[id_]
            assert (mine.name, mine.destination, mine.workspace) == (
                other.name,
                other.destination_id,
                other.workspace_id,
            )
            assert mine.status == other.status.value
            assert mine.tags == tuple(tag.name for tag in other.tags)
            streams = [(each.name, each.namespace) for each in other.configurations.streams or ()]
            assert [(each.name, each.namespace) for each in mine.streams] == streams
            assert service.connection(id_) == mine
            alone = sdk.connections.get_connection(request=api.GetConnectionRequest(connection_id=id_))
            assert alone.connection_response == other
        (mine_job,) = service.jobs(connection.id)
        single = sdk.jobs.get_job(request=api.GetJobRequest(job_id=1)).job_response
        (their_job,) = sdk.jobs.list_jobs(request=api.ListJobsRequest(connection_id=connection.id)).jobs_response.data  # type: ignore[union-attr]
        assert made.job_response is not None
        assert single is not None
        assert made.job_response.job_id == single.job_id == their_job.job_id == mine_job.id == 1
        assert single.status.value == their_job.status.value == mine_job.status == "succeeded"
        assert single.rows_synced == their_job.rows_synced == mine_job.rows == 7


def test_the_official_sdk_sees_the_same_destinations(place: Place) -> None:
    sdk = application(place.airbyte)
    with service_for(Options.of(place.integration()), RunOf().secret) as service:
        for kind in CONFIGURATIONS:
            id_ = place.airbyte.add_destination(kind)
            theirs = sdk.destinations.get_destination(request=api.GetDestinationRequest(destination_id=id_))
            mine, other = service.destination(id_), theirs.destination_response
            assert other is not None
            assert (mine.id, mine.name, mine.type) == (other.destination_id, other.name, other.destination_type)
            shown = other.configuration.model_dump(by_alias=True)
            # The SDK fills in what the API did not say, so it may know more.
            assert mine.config.items() <= shown.items()


def _read(given: Any) -> Any:
    from assetry_airbyte.hosted.api.responses import read_connection

    return read_connection(given)


def test_the_official_sdk_cancels_what_we_started(place: Place) -> None:
    connection = place.airbyte.add_connection("Shop", ["users"])
    connection.script = ["running"] * 100
    with service_for(Options.of(place.integration()), RunOf().secret) as service:
        job = service.start(connection.id)
        cancelled = application(place.airbyte).jobs.cancel_job(request=api.CancelJobRequest(job_id=int(job.id)))
        assert cancelled.job_response is not None
        assert cancelled.job_response.status.value == service.job(job.id).status == "cancelled"


def test_an_sdk_object_is_the_configuration(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = place.airbyte.add_connection("Shop", ["users"])
    assets = build_airbyte_assets(connection.id, sdk=application(place.airbyte), root=str(place.root), name="shop")
    assert [str(asset.key) for asset in assets] == ["shop/users"]
    integration = assets[0].integration
    assert integration is not None
    assert integration.options["client_secret"] == {"env": "SECRET"}  # by the variable that holds it
    assert integration.options["base_url"] == place.airbyte.url


def test_a_secret_that_no_variable_holds_stays_in_this_process(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRET")
    connection = place.airbyte.add_connection("Shop", ["users"])
    assets = build_airbyte_assets(connection.id, sdk=application(place.airbyte), root=str(place.root), name="shop")
    assert FakeAirbyte.client_secret not in repr(assets)
    assert place.run(place.invocation([_with_clock(place, each) for each in assets])).made == {"shop/users"}


def _with_clock(place: Place, asset: Any) -> Any:
    from dataclasses import replace

    from assetry_toolkit.live_objects import keep

    integration = replace(asset.integration, options={**asset.integration.options, "clock": keep(place.clock)})
    return replace(asset, integration=integration)


def test_the_other_ways_to_authenticate() -> None:
    basic = AirbyteAPI(security=models.Security(basic_auth=models.SchemeBasicAuth(username="u", password="p")))
    assert options_of(basic)["username"] == "u"
    assert options_of(basic)["base_url"] == "https://api.airbyte.com/v1"
    bearer = AirbyteAPI(server_url="http://localhost:1/api/public/v1", security=models.Security(bearer_auth="t"))
    assert set(options_of(bearer)) == {"base_url", "token"}
    assert "t" not in options_of(bearer).values()
    with pytest.raises(DefinitionError, match="no airbyte_api"):
        options_of("nothing")
