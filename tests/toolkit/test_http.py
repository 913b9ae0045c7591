"""HTTP with a service on this machine: what is repeated and what is not, and what each error means."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from assetry_toolkit.auth import Renewed, Token, basic, bearer
from assetry_toolkit.errors import AuthError, Refused, ServiceError, Unavailable, WrongAddress
from assetry_toolkit.hosted.budgets import Budget
from assetry_toolkit.http import Api, Http, Request
from assetry_toolkit.secrets import Mask
from assetry_toolkit.testing import FakeClock

from tests.toolkit.loopback import Answer, Asked, Service, serving

BUSY = Answer(503, "upstream is sad")
LIMITED = Answer(429, {"message": "slow down"})
LOOK, DEED = Request("GET", "tables"), Request("POST", "jobs", json={"table": "orders"})


@pytest.fixture
def mill() -> Iterator[Service]:
    with serving(lambda asked: {"you": asked.method}) as service:
        yield service


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def client(mill: Service, clock: FakeClock | None = None, auth: Any = None, **how: Any) -> Http:
    api = Api(name="Mill", base=f"{mill.url}/v1", address_hint="The base URL ends with /v1.", auth_hint="Set token.")
    return Http(api, auth, clock=clock or FakeClock(), **how)


# -- what is asked again ---------------------------------------------------------------------------------------------


def test_a_look_is_repeated_after_pauses_that_grow(mill: Service, clock: FakeClock) -> None:
    mill.answers = [BUSY, Answer(drop=True), Answer(500), Answer(502, "<html>")]
    with client(mill, clock) as http:
        assert http.ask(LOOK) == {"you": "GET"}
    assert clock.slept == [1.0, 2.0, 4.0, 8.0]


def test_a_budget_is_asked_before_each_request_and_waited_for(mill: Service, clock: FakeClock) -> None:
    budget = Budget("Mill", calls=2, seconds=60.0, clock=clock)
    with client(mill, clock, before=budget.take) as http:
        for _ in range(3):
            http.ask(LOOK)
    assert len(mill.asked) == 3
    assert clock.slept == [60.5]  # half a second of jitter among it


def test_an_error_says_in_how_many_seconds_calls_are_taken_again(mill: Service) -> None:
    mill.answers = [Answer(429, {"code": "TooMany", "message": "Slow down."}, {"Retry-After": "90"})]
    with client(mill) as http, pytest.raises(Unavailable) as caught:
        http.once(LOOK)
    assert "Slow down. (TooMany)" in str(caught.value)
    assert "takes calls again in 90 seconds" in str(caught.value)


def test_after_a_limit_the_first_pause_is_longer(mill: Service, clock: FakeClock) -> None:
    mill.answers = [LIMITED] * 3
    with client(mill, clock) as http:
        http.ask(LOOK)
    assert clock.slept == [2.0, 4.0, 8.0]


def test_it_is_given_up_after_so_many_tries_or_when_called_off(mill: Service, clock: FakeClock) -> None:
    mill.answers = [BUSY] * 100
    with client(mill, clock) as http:
        with pytest.raises(Unavailable, match="answered GET tables with HTTP 503"):
            http.ask(LOOK, attempts=3)
        assert len(mill.asked) == 3
        with pytest.raises(Unavailable):
            http.ask(LOOK, lambda: len(mill.asked) > 4)
    assert len(mill.asked) == 5


@pytest.mark.parametrize("lost", [BUSY, Answer(504), Answer(drop=True)])
def test_what_may_have_been_carried_out_is_never_repeated(mill: Service, lost: Answer) -> None:
    mill.answers = [lost]
    with client(mill) as http, pytest.raises(Unavailable) as caught:
        http.ask(DEED)
    assert caught.value.executed is None
    assert len(mill.asked) == 1


def test_what_certainly_was_not_carried_out_is_repeated(mill: Service, clock: FakeClock) -> None:
    mill.answers = [LIMITED]
    with client(mill, clock) as http:
        assert http.ask(DEED) == {"you": "POST"}
    assert [each.json for each in mill.asked] == [{"table": "orders"}] * 2
    with socket.socket() as nothing:
        nothing.bind(("127.0.0.1", 0))  # bound, and nothing listens
        api = Api(name="Mill", base=f"http://127.0.0.1:{nothing.getsockname()[1]}")
        with (
            Http(api, clock=clock) as http,
            pytest.raises(Unavailable, match=r"Mill at .* cannot be reached") as caught,
        ):
            http.ask(DEED, attempts=3)
    assert caught.value.executed is False
    assert clock.slept == [2.0, 1.0, 2.0]


def test_a_post_that_only_looks_is_repeated(mill: Service) -> None:
    mill.answers = [BUSY]
    with client(mill) as http:
        assert http.ask(Request("POST", "search", json={}, looks=True)) == {"you": "POST"}


def test_a_wish_in_seconds_is_heeded_within_limits(mill: Service, clock: FakeClock) -> None:
    mill.answers = [Answer(429, headers={"Retry-After": "17"}), Answer(503, headers={"Retry-After": "86400"})]
    with client(mill, clock) as http:
        http.ask(LOOK)
    assert clock.slept == [17.5, 300.5]


def test_a_wish_as_a_date_is_taken_by_the_servers_clock(mill: Service, clock: FakeClock) -> None:
    theirs = datetime.now(UTC) + timedelta(hours=5)
    dates = {"Date": theirs, "Retry-After": theirs + timedelta(seconds=23)}
    headers = {name: format_datetime(at, usegmt=True) for name, at in dates.items()}
    mill.answers = [Answer(429, headers=headers)]
    with client(mill, clock) as http:
        http.ask(LOOK)
    assert clock.slept == [23.5]


# -- what is wrong ---------------------------------------------------------------------------------------------------


def test_a_refusal_tells_what_the_service_says(mill: Service) -> None:
    mill.answers = [Answer(404, {"error": {"message": "no such table"}}), Answer(403, "nothing that is JSON")]
    with client(mill) as http:
        with pytest.raises(Refused, match="Mill refused GET tables: no such table") as caught:
            http.ask(LOOK)
        assert caught.value.status == 404
        with pytest.raises(Refused, match="HTTP 403") as caught:
            http.ask(LOOK)
        assert "role" in str(caught.value.hint)
    assert len(mill.asked) == 2


@pytest.mark.parametrize(
    "page",
    [
        Answer(200, "<html>Log in</html>"),
        Answer(200, "Log in", {"Content-Type": "text/html; charset=utf-8"}),
        Answer(404, "<!doctype html>"),
        Answer(302, headers={"Location": "https://sso.example.com/login"}),
    ],
)
def test_a_page_is_told_apart_from_the_service(mill: Service, page: Answer) -> None:
    mill.answers = [page]
    with client(mill) as http, pytest.raises(WrongAddress, match=f"There is no Mill API at {mill.url}/v1") as caught:
        http.ask(LOOK)
    assert caught.value.hint == "The base URL ends with /v1."
    assert len(mill.asked) == 1


@pytest.mark.parametrize("base", ["mill.example.com", "ftp://mill.example.com", "http://\x00"])
def test_what_is_no_url_is_told(base: str) -> None:
    with Http(Api(name="Mill", base=base)) as http, pytest.raises(WrongAddress, match="is not a URL"):
        http.once(LOOK)


def test_a_body_that_broke_off_is_asked_for_again_and_an_empty_one_is_nothing(mill: Service) -> None:
    mill.answers = [Answer(200, '{"tables": ['), Answer(204)]
    with client(mill) as http:
        assert http.ask(LOOK) is None
    assert len(mill.asked) == 2


def test_an_answer_that_is_no_json_can_be_had_whole(mill: Service) -> None:
    mill.answers = [Answer(200, "ok", {"Content-Type": "text/plain", "Date": "now"}), Answer(400, {"error": "no"})]
    with client(mill) as http:
        response = http.response(Request("POST", f"{mill.url}/hook", json={"text": "done"}))
        assert (response.text, response.headers["date"]) == ("ok", "now")
        with pytest.raises(Refused, match="no"):
            http.response(Request("POST", f"{mill.url}/hook"))
    assert mill.asked[0].path == "/hook"


def test_paths_params_forms_and_headers_arrive(mill: Service) -> None:
    with client(mill) as http:
        http.once(Request("GET", "/tables/", params={"limit": 2}, headers={"Accept": "application/json;version=2"}))
        http.once(Request("POST", "", form={"a": "b c"}))
    look, form = mill.asked
    assert (look.path, look.query, look.headers["Accept"]) == (
        "/v1/tables/",
        {"limit": "2"},
        "application/json;version=2",
    )
    assert (form.path, form.body) == ("/v1", b"a=b+c")


# -- who asks --------------------------------------------------------------------------------------------------------


def test_credentials_that_were_given_are_read_once_and_again_after_a_refusal(mill: Service) -> None:
    read: list[str] = []

    def secret() -> str:
        read.append("t0ken")
        return "t0ken"

    with client(mill, auth=bearer(secret, scheme="Token")) as http:
        http.once(LOOK)
        http.once(LOOK)
        assert mill.asked[-1].headers["Authorization"] == "Token t0ken"
        assert len(read) == 1
        mill.answers = [Answer(401, {"message": "t0ken is old"})]
        with pytest.raises(AuthError, match=r"does not accept the token \(HTTP 401: \*\*\* is old\)") as caught:
            http.once(LOOK)
        assert caught.value.hint == "Set token."
        http.once(LOOK)
    assert len(read) == 2
    assert len(mill.asked) == 4


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_no_error_holds_the_credentials_though_the_service_repeats_them(mill: Service, status: int) -> None:
    mill.answer = lambda asked: Answer(
        status, {"message": f"got {asked.headers['Authorization']} and s3cret=s3cret%2F1"}
    )
    with client(mill, auth=basic(lambda: "bob", lambda: "s3cret/1")) as http, pytest.raises(ServiceError) as caught:
        http.ask(LOOK)
    told = f"{caught.value}{caught.value!r}{caught.value.__cause__}"
    assert "s3cret/1" not in told
    assert "s3cret%2F1" not in told
    assert "Ym9iOnMzY3JldC8x" not in told


def test_a_key_in_a_url_is_masked() -> None:
    url = "http://127.0.0.1:9/services/T0/hunter2hunter2"
    http = Http(Api(name="Chat", base=url), mask=Mask(frozenset({"hunter2hunter2"})), clock=FakeClock())
    with http, pytest.raises(Unavailable, match="cannot be reached") as caught:
        http.ask(Request("POST"))
    assert "hunter2" not in str(caught.value)
    assert "services/T0/***" in str(caught.value)


def test_a_refused_token_is_replaced_and_the_request_sent_once_more(mill: Service, clock: FakeClock) -> None:
    numbers = iter(range(1, 9))

    def fetch(secret: str) -> Token:
        return Token(http.once(Request("POST", "token", form={"secret": secret}, signed=False))["token"], 900)

    def answer(asked: Asked) -> Any:
        if asked.path == "/v1/token":
            return {"token": f"token-{next(numbers)}"}
        good = asked.headers["Authorization"] == "Bearer token-2"
        return {"ok": True} if good else Answer(401)  # it means that nothing was carried out

    mill.answer = answer
    auth = Renewed(lambda: "s3cret", fetch, clock=clock, named="client_secret")
    with client(mill, clock, auth) as http:
        assert http.once(DEED) == {"ok": True}
        paths = [each.path for each in mill.asked]
        assert paths == ["/v1/token", "/v1/jobs", "/v1/token", "/v1/jobs"]
        assert "Authorization" not in mill.asked[0].headers
        mill.answer = lambda asked: {"token": "token-9"} if asked.path == "/v1/token" else Answer(401)
        with pytest.raises(AuthError, match="does not accept client_secret"):
            http.once(DEED)
    assert [each.path for each in mill.asked[4:]] == ["/v1/jobs", "/v1/token", "/v1/jobs"]


# -- by what way -----------------------------------------------------------------------------------------------------


def test_a_client_of_the_users_own_carries_every_request_and_stays_open(mill: Service) -> None:
    seen: list[str] = []
    own = httpx.Client(event_hooks={"request": [lambda request: seen.append(request.url.path)]})
    with client(mill, client=own) as http:
        http.once(LOOK)
    assert seen == ["/v1/tables"]
    assert not own.is_closed
    own.close()


def test_a_transport_of_the_users_own_is_taken(mill: Service) -> None:
    with client(mill, client=httpx.MockTransport(lambda request: httpx.Response(200, json=str(request.url)))) as http:
        assert http.once(LOOK) == f"{mill.url}/v1/tables"
    assert mill.asked == []


def test_a_certificate_authority_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    api = Api(name="Mill", base="https://127.0.0.1:9", ca_bundle=str(tmp_path / "nowhere.pem"))
    with Http(api) as http, pytest.raises(WrongAddress, match=r"certificate authority .*nowhere\.pem cannot be read"):
        http.once(LOOK)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_certificate_authority_of_ones_own_is_trusted_when_named(tmp_path: Path) -> None:
    certificate, key = tmp_path / "ca.pem", tmp_path / "key.pem"
    asked = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=mill -addext subjectAltName=IP:127.0.0.1"
    command = ["openssl", *asked.split(), "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with serving(lambda asked: {}, tls) as mill:
        with client(mill) as http, pytest.raises(WrongAddress, match="is not trusted") as caught:
            http.once(LOOK)
        assert "ca_bundle" in str(caught.value)
        with Http(Api(name="Mill", base=mill.url, ca_bundle=str(certificate))) as http:
            assert http.once(LOOK) == {}


def test_httpx_is_loaded_by_the_first_request_and_hook_modules_load_of_the_toolkit_what_they_declare() -> None:
    modules = sorted(path.stem for path in Path("toolkit/src/assetry_toolkit").glob("[a-z]*.py"))
    code = (
        "import importlib, sys\n"
        "import assetry_airbyte.plugin, assetry_dbt.plugin, assetry_fivetran.plugin\n"
        "print(*sorted(name for name in sys.modules if name.startswith('assetry_toolkit')))\n"
        f"for name in {modules!r}: importlib.import_module('assetry_toolkit.' + name)\n"
        "print('httpx' in sys.modules)"
    )
    assert len(modules) > 10
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    hosted = ["assetry_toolkit.hosted", "assetry_toolkit.hosted.assets"]
    assert done.stdout.split() == ["assetry_toolkit", *hosted, "assetry_toolkit.options", "False"]
