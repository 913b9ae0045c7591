"""Routes answer in place of a service; with httpx, as its transport."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from assetry.testing import FakeTool, Request
from assetry.testing.transport import Routes


def ask(method: str, path: str, body: bytes = b"") -> Request:
    return Request(method, f"https://api.example.com{path}", path, body=body)


def test_routes_answer_by_method_and_path() -> None:
    routes = Routes(
        {
            "GET /jobs/{id}/tables/{table}": lambda request: dict(request.arguments),
            "POST /jobs": lambda request: (201, {"asked": request.json}),
            "GET /jobs": [{"state": "running"}, (429, {}), {"state": "done"}],
        }
    )
    assert routes.answer(ask("GET", "/jobs/7/tables/a")) == (200, {"id": "7", "table": "a"})
    assert routes.answer(ask("POST", "/jobs/", b'{"x": 1}')) == (201, {"asked": {"x": 1}})
    answers = [routes.answer(ask("GET", "/jobs")) for _ in range(4)]
    assert answers == [(200, {"state": "running"}), (429, {}), (200, {"state": "done"}), (200, {"state": "done"})]
    assert [request.method for request in routes.requests] == ["GET", "POST", "GET", "GET", "GET", "GET"]


def test_what_no_route_answers_is_a_404_with_the_near_one() -> None:
    status, data = Routes({"GET /jobs/{id}": {}}).answer(ask("PUT", "/jobs/7"))
    assert status == 404
    assert "did you mean 'GET /jobs/{id}'?" in data["error"]


def test_a_route_may_raise() -> None:
    with pytest.raises(ConnectionError, match="no route to host"):
        Routes({"GET /": ConnectionError("no route to host")}).answer(ask("GET", "/"))


def test_a_function_may_answer_everything() -> None:
    routes = Routes(lambda request: {"path": request.path})
    assert routes.answer(ask("GET", "/x")) == (200, {"path": "/x"})
    assert len(routes.requests) == 1


def service(tool: FakeTool) -> dict[str, Any]:
    """Return the routes of a service of jobs, as an author would write them."""
    return {
        "POST /jobs": lambda request: {"id": tool.start(request.json["tables"])},
        "GET /jobs/{id}": lambda request: tool.poll(request.arguments["id"])._asdict(),
        "DELETE /jobs/{id}": lambda request: tool.cancel(request.arguments["id"]),
        "GET /broken": ConnectionError("no route to host"),
        "GET /slow": TimeoutError("too slow"),
    }


def test_a_client_of_httpx_reaches_the_fake_tool(tmp_path: Path, fake_transport: Any) -> None:
    httpx = pytest.importorskip("httpx")
    tool = FakeTool(tmp_path)
    transport = fake_transport(service(tool))
    with httpx.Client(base_url="https://api.example.com", transport=transport) as client:
        job = client.post("/jobs", json={"tables": ["a"]}).json()["id"]
        assert client.get(f"/jobs/{job}", params={"full": "1"}).json()["state"] == "running"
        client.delete(f"/jobs/{job}")
        assert client.get(f"/jobs/{job}").json()["state"] == "cancelled"
        assert client.get("/nothing").status_code == 404
        with pytest.raises(httpx.ConnectError):
            client.get("/broken")
        with pytest.raises(httpx.ReadTimeout):
            client.get("/slow")
    assert (tool.launches, tool.running) == (1, 0)
    assert [request.query for request in transport.requests][1] == {"full": "1"}
