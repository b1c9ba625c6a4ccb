"""Free ports below the range that outgoing connections take theirs from, so that a server finds its port again."""

import errno
import random
import socket

from wamcp.errors import CannotStart

_RANGE = range(15_000, 32_000)


def free_port(wanted: int | None = None) -> int:
    """``wanted`` when it is free on 127.0.0.1, else another that is."""
    if wanted is not None and is_free(wanted):
        return wanted
    for port in random.sample(_RANGE, 200):
        if is_free(port):
            return port
    raise CannotStart("No free port was found on 127.0.0.1 between 15000 and 32000.")


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EACCES:
                raise CannotStart(f"Port {port} needs privileges: choose one above 1023 with --port.") from None
            return False
    return True
