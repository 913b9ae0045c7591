"""For the tests of integrations: a clock that only moves while something waits, and a server that fails as told.

A fake of a service is a `FakeServer` that answers as the service does, and keeps what it would keep::

    class FakeMill(FakeServer):
        base_paths = ("/api/v1",)

        def answer(self, seen):
            if str(seen) == "GET /jobs":
                return {"jobs": self.jobs}
            raise Refusal(404, {"message": f"There is no {seen}"})

    with FakeMill(clock.monotonic) as mill:
        mill.fail("GET /jobs", Fault(status=503))
        …  # base = f"{mill.host}/api/v1"
"""

from assetry_toolkit.testing.clock import FakeClock
from assetry_toolkit.testing.faults import LOGIN_PAGE, Fault, Refusal, Seen
from assetry_toolkit.testing.fixtures import fake_fixture
from assetry_toolkit.testing.server import FakeServer

__all__ = ["LOGIN_PAGE", "FakeClock", "FakeServer", "Fault", "Refusal", "Seen", "fake_fixture"]
