"""A shop that dlt reads. Its rows are computed here, so that it runs without a network."""

from collections.abc import Iterator
from typing import Any

import dlt

COUNTRIES = ("de", "fr", "nl")


@dlt.source
def shop(customers: int = 10) -> Any:
    """Return what the shop has of so many customers, each with two orders."""

    @dlt.resource(name="customers", primary_key="id", write_disposition="merge")
    def people() -> Iterator[dict[str, Any]]:
        """Who buys in the shop."""
        for number in range(customers):
            yield {"id": number, "name": f"customer {number}", "country": COUNTRIES[number % len(COUNTRIES)]}

    @dlt.resource(primary_key="id", write_disposition="replace")
    def orders() -> Iterator[dict[str, Any]]:
        """What was ordered, with its lines, which dlt puts into the table orders__lines."""
        for number in range(customers * 2):
            lines = [{"article": f"article {each}", "cents": 100 * (each + 1)} for each in range(number % 3 + 1)]
            yield {"id": number, "customer_id": number % customers, "lines": lines}

    @dlt.resource(write_disposition="append")
    def visits(at: Any = dlt.sources.incremental("number")) -> Iterator[dict[str, Any]]:  # noqa: B008
        """Who looked at the shop: only visits that are not there yet are asked for."""
        for number in range((at.last_value or -1) + 1, customers * 3):
            yield {"number": number, "customer_id": number % customers}

    return people, orders, visits
