"""What may stand behind a tunnel."""

import pytest

from wamcp.cli.tunnel import require_guarded
from wamcp.errors import Misconfigured
from wamcp.settings import load


@pytest.mark.parametrize("key", ["", "admin123", "Change-Me"])
def test_no_tunnel_with_a_placeholder_for_a_key(key: str) -> None:
    with pytest.raises(Misconfigured, match="No tunnel is opened while ADMIN_API_KEY"):
        require_guarded(load({"ADMIN_API_KEY": key, "WAMCP_ENV": "development"}))


def test_no_tunnel_while_anybody_could_forge_messages() -> None:
    with pytest.raises(Misconfigured, match="VERIFY_WEBHOOK_SIGNATURE=false"):
        require_guarded(load({"ADMIN_API_KEY": "a key of one's own", "VERIFY_WEBHOOK_SIGNATURE": "false"}))


def test_a_key_of_ones_own_will_do() -> None:
    require_guarded(load({"ADMIN_API_KEY": "a key of one's own"}))
