"""A wire between two programs that can freeze: what goes over it then is lost, while new connections are fine."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Wire:
    """Listens on ``port`` and passes on to an address of this machine."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._frozen: set[int] = set()
        self._known: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self) -> int:
        """Nothing goes over the connections there are from now on, and nobody is told; returns how many they are."""
        frozen = len(self._known) - len(self._frozen)
        self._frozen = set(range(len(self._known)))
        return frozen

    def close(self) -> None:
        """Cuts everything."""
        self._listener.close()
        for pair in self._known:
            for end in pair:
                end.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to_port))
            except OSError:
                return
            index = len(self._known)
            self._known.append((near, far))
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(index, source, target), daemon=True).start()

    def _pass_on(self, index: int, source: socket.socket, target: socket.socket) -> None:
        try:
            while piece := source.recv(65536):
                if index not in self._frozen:
                    target.sendall(piece)
            if index not in self._frozen:
                target.shutdown(socket.SHUT_WR)
        except OSError:
            return


@contextmanager
def wire(to_port: int) -> Iterator[Wire]:
    """A wire to a port of this machine."""
    made = Wire(to_port)
    try:
        yield made
    finally:
        made.close()
