"""Mail: by a server that takes it, one that does not, and none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from assetry_notify.delivery.mail import Mail
from assetry_notify.messages import Message
from assetry_notify.targets import Target
from assetry_toolkit.errors import AuthError, Refused, Unavailable, WrongAddress
from assetry_toolkit.testing import FakeClock

from tests.notify.delivery.smtp import MailServer, mail_server

MESSAGE = Message("m1", "shöp", "2026-01-01T00:00:00+00:00", ())


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as found:
        yield found


def mail(port: int, **more: Any) -> Mail:
    given = {"host": "127.0.0.1", "port": port, "tls": "none", "sender": "a@x.example", "to": ("b@x.example",), **more}
    secrets = {"PASSWORD": "s3cret-of-mail"}
    return Mail(Target("ops", "email", timeout=20.0, given=given), secrets.__getitem__, FakeClock())


def test_it_goes_to_all_recipients_with_a_title_and_an_id_that_stays(server: MailServer) -> None:
    to = ("b@x.example", "c@x.example")
    login = {"user": "bob", "password": {"env": "PASSWORD"}}
    for _ in range(2):
        assert mail(server.port, to=to, **login).send(MESSAGE) is None
    (first, told), (_, again) = server.mails
    assert (first, told["To"], told["From"]) == (list(to), "b@x.example, c@x.example", "a@x.example")
    assert told["Subject"] == "shöp: a test"
    assert told["Message-ID"] == again["Message-ID"] == "<m1@assetry>"
    assert "This is a test" in told.get_content()  # type: ignore[attr-defined]
    assert server.logins[0] == ("bob", "s3cret-of-mail")


def test_a_server_that_is_busy_is_asked_again(server: MailServer) -> None:
    server.answers = {"MAIL": ["451 later"]}
    assert mail(server.port).send(MESSAGE) is None
    assert len(server.mails) == 1


@pytest.mark.parametrize(
    ("answers", "kind", "said"),
    [
        ({"MAIL": ["451 later"] * 5}, Unavailable, "451 later"),
        ({"DATA": ["554 spam"]}, Refused, "554 spam"),
        ({"RCPT": ["550 no such user"]}, Refused, "takes no recipient: b@x.example: 550 no such user"),
        ({"AUTH": ["535 wrong s3cret-of-mail"]}, AuthError, r"does not let the user log in: 535 wrong \*\*\*"),
        ({"CONNECT": ["421 full"] * 5}, Unavailable, "421 full"),
    ],
)
def test_what_the_server_says_is_told_and_never_the_password(
    server: MailServer, answers: dict[str, list[str]], kind: type[Exception], said: str
) -> None:
    server.answers = answers
    with pytest.raises(kind, match=said):
        mail(server.port, user="bob", password={"env": "PASSWORD"}).send(MESSAGE)
    assert server.mails == []


def test_one_recipient_of_two_that_is_refused_is_told_and_the_other_has_the_mail_once(server: MailServer) -> None:
    server.answers = {"RCPT": ["550 no such user"]}
    doubt = mail(server.port, to=("b@x.example", "c@x.example")).send(MESSAGE)
    assert doubt is not None
    assert "b@x.example (550)" in doubt
    assert [to for to, _ in server.mails] == [["c@x.example"]]


def test_a_server_without_encryption_is_not_sent_it_in_the_clear(server: MailServer) -> None:
    with pytest.raises(WrongAddress) as caught:
        mail(server.port, tls="starttls").send(MESSAGE)
    assert 'tls = "none"' in (caught.value.hint or "")
    assert server.mails == []


def test_no_server_is_told(server: MailServer) -> None:
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9 cannot be reached"):
        mail(9).send(MESSAGE)
