"""Why a reader stops; each reason is a word, never anything that the document says."""


class Unreadable(Exception):
    """The document cannot be read; ``word`` is what is stored."""

    word = "broken"


class Encrypted(Unreadable):
    """It needs a password."""

    word = "encrypted"


class Unsupported(Unreadable):
    """Nothing here reads this kind of file."""

    word = "unsupported"


class NoTranscriber(Unreadable):
    """It is sound, and nothing here can write down what is said in it."""

    word = "no_transcriber"


class Bomb(Unreadable):
    """It is small and wants to become huge, or nested without an end."""

    word = "bomb"


class Enough(Exception):
    """As much text was read as is kept."""


class OutOfTime(BaseException):
    """The CPU time of this step is used up. Not an ``Exception``: libraries must not swallow it."""
