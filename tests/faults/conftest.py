"""The whole of WAMCP for the faults that one house can have after the other."""

from collections.abc import Iterator

import pytest

from tests.e2e.house import House
from tests.faults.running import up
from wamcp.embedded.scratch import temporary_directory


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with temporary_directory() as parent, up(parent / "state") as house:
        yield house
