"""The whole of WAMCP, started once per module."""

from collections.abc import Iterator

import pytest

from tests.e2e.house import DRAIN_S, House, eventually, house_up


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with house_up() as house:
        yield house


@pytest.fixture
def well(house: House) -> House:
    """The house with everything running and nothing waiting."""
    assert eventually(house.is_well, 60)
    assert eventually(lambda: house.value("SELECT count(*) FROM webhook_queue") == 0, DRAIN_S)
    return house
