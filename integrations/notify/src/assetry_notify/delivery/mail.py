"""Mail: one message to all recipients of a target."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

from assetry_toolkit.clock import Clock
from assetry_toolkit.errors import AuthError, Refused, ServiceError, Unavailable, WrongAddress
from assetry_toolkit.retries import Tries, repeated
from assetry_toolkit.secrets import Mask, resolve

from assetry_notify.messages import Message
from assetry_notify.targets import Target

#: How often one delivery is tried before it is left to a later time, and for how many seconds it waits in all.
TRIES = Tries(3, safe=True, seconds=60.0)
_PORTS = {"starttls": 587, "tls": 465, "none": 25}


class Mail:
    """A server that takes mail by SMTP for the recipients of a target."""

    def __init__(self, target: Target, secret: Callable[[str], str], clock: Clock) -> None:
        self._given = target.given
        self._name = target.name
        self._timeout = target.timeout
        self._secret = secret
        self._clock = clock
        self._tls = target.given.get("tls", "starttls")
        self._host, self._port = target.given["host"], target.given.get("port", _PORTS[self._tls])

    def send(self, message: Message) -> str | None:
        """Send a message; return who was refused where others were not. Raises `ServiceError`."""
        user = resolve(self._given.get("user"), self._secret)
        password = resolve(self._given.get("password"), self._secret)
        mail = self._mail(message)
        return repeated(lambda: self._once(mail, user, password), self._clock, tries=TRIES)

    def _mail(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"] = message.title
        mail["From"] = self._given["sender"]
        mail["To"] = ", ".join(self._given["to"])
        mail["Date"] = format_datetime(datetime.fromisoformat(message.at))
        # The same one however often it is sent, so that a mailbox can know it again.
        mail["Message-ID"] = f"<{message.id}@assetry>"
        mail.set_content("\n\n".join(message.lines) + "\n")
        return mail

    def _once(self, mail: EmailMessage, user: str, password: str) -> str | None:
        mask = Mask(frozenset(filter(None, (password,))))
        try:
            with self._connected() as server:
                if self._tls == "starttls":
                    server.starttls(context=ssl.create_default_context())
                if user:
                    server.login(user, password)
                refused = server.send_message(mail)
        except (smtplib.SMTPException, OSError) as error:
            raise self._problem(error, mask) from None
        told = ", ".join(f"{who} ({code})" for who, (code, _) in refused.items())
        return f"The server did not take it for {told}." if told else None

    def _connected(self) -> smtplib.SMTP:
        if self._tls == "tls":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self._host, self._port, timeout=self._timeout, context=context)
        return smtplib.SMTP(self._host, self._port, timeout=self._timeout)

    def _problem(self, error: Exception, mask: Mask) -> ServiceError:
        """Return what an error of the library means: whether it may be better next time."""
        at = f"The mail server {self._host}:{self._port}"
        if isinstance(error, smtplib.SMTPRecipientsRefused):
            told = "; ".join(f"{who}: {code} {_text(said)}" for who, (code, said) in error.recipients.items())
            later = any(code < 500 for code, _ in error.recipients.values())
            kind: type[ServiceError] = Unavailable if later else Refused
            return kind(mask(f"{at} takes no recipient: {told}."), hint=f"Look at `to` of [notify.{self._name}].")
        if isinstance(error, smtplib.SMTPResponseException):
            told = f"{error.smtp_code} {_text(error.smtp_error)}"
            if isinstance(error, smtplib.SMTPAuthenticationError) and error.smtp_code >= 500:
                hint = f"Look at `user` and `password` of [notify.{self._name}]."
                return AuthError(mask(f"{at} does not let the user log in: {told}."), hint=hint)
            kind = Unavailable if error.smtp_code < 500 else Refused
            return kind(mask(f"{at} refused the message: {told}."))
        if isinstance(error, ssl.SSLError):
            hint = f'Look at `tls` of [notify.{self._name}]: "starttls", "tls" or "none".'
            return WrongAddress(mask(f"{at} cannot be spoken with in secret: {error}."), hint=hint)
        if isinstance(error, smtplib.SMTPNotSupportedError):
            hint = f'With `tls = "none"` in [notify.{self._name}] the mail goes unencrypted.'
            return WrongAddress(mask(f"{at} cannot do that: {error}."), hint=hint)
        return Unavailable(
            mask(f"{at} cannot be reached: {str(error) or type(error).__name__}."), hint="Is it running?"
        )


def _text(said: bytes | str) -> str:
    return " ".join((said.decode(errors="replace") if isinstance(said, bytes) else said).split())
