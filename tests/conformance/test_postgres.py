"""PostgreSQL tables keep the promises of all IO managers, on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from assetry.testing import IOManagerConformance, IOUnderTest

from tests.postgres_server import postgres

pytestmark = pytest.mark.slow

#: In this database everybody is let in; what matters is where the password turns up.
PASSWORD = "correct-horse"


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    with postgres() as running:
        TestPostgres.uri = running.url.replace("postgres:@", f"postgres:{PASSWORD}@")
        yield


class TestPostgres(IOManagerConformance):
    uri: ClassVar[str]

    def subject(self, folder: Path) -> IOUnderTest:
        return IOUnderTest(
            "assetry_postgres.plugin", url=f"{self.uri}&schema=raw", secrets=[PASSWORD], unkeepable=with_nul()
        )


def with_nul() -> Any:
    import pyarrow as pa

    return pa.table({"text": ["a\0b"]})
