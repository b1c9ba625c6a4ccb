"""Sound as the transcriber likes it: decoded, in one channel of 16 kHz, no longer than is wanted."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO, NamedTuple

from wamcp.documents.trouble import Unreadable, Unsupported

RATE = 16_000
STRETCH_SECONDS = 300
"""So much is listened to at once: memory grows with it."""
QUIET_SECONDS = 20
"""A stretch ends in the quietest moment of its last seconds, so that no word is cut."""
_MOMENT = RATE // 2
LOWEST_RATE = 4_000
"""Of samples a second; fewer are no speech, and would grow to many times their size."""
_DEMUXERS = {
    "audio/ogg": "ogg",
    "audio/mpeg": "mp3",
    "audio/mp4": "mp4",
    "video/mp4": "mp4",
    "video/3gpp": "mp4",
    "audio/aac": "aac",
    "audio/amr": "amr",
    "audio/wav": "wav",
}
"""FFmpeg must not guess: what it takes for a playlist may name other files."""


class Sound(NamedTuple):
    """``samples`` is an array of float32 from -1 to 1, ``RATE`` of them a second; ``is_cut``: there is more."""

    samples: Any
    is_cut: bool

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / RATE


def hear(file: BinaryIO, mime: str, most_seconds: int) -> Sound:
    """Decodes the first ``most_seconds`` of the first stream of sound; pieces that are broken are left out.

    Raises :class:`Unsupported` for films, :class:`Unreadable` where there is nothing to hear, and FFmpeg's errors for
    what is no file of this kind.
    """
    import av
    import numpy

    file.seek(0)
    pieces: list[Any] = []
    room = most_seconds * RATE
    with av.open(file, mode="r", format=_DEMUXERS[mime], metadata_errors="ignore") as container:
        stream = _stream(container)
        for piece in _resampled(container, stream):
            pieces.append(piece[: max(0, room)])
            room -= len(piece)
            if room < 0:
                break
    if not pieces:
        raise Unreadable
    return Sound(numpy.concatenate(pieces).astype(numpy.float32) / 32768, is_cut=room < 0)


def stretches(sound: Sound) -> Iterator[tuple[float, Any]]:
    """``sound`` in pieces that can be listened to one by one: where each begins (seconds), and its samples."""
    import numpy

    samples, begin = sound.samples, 0
    while len(samples) - begin > STRETCH_SECONDS * RATE:
        end = begin + STRETCH_SECONDS * RATE
        moments = samples[end - QUIET_SECONDS * RATE : end].reshape(-1, _MOMENT)
        quietest = int(numpy.square(moments).sum(axis=1).argmin())
        end += quietest * _MOMENT + _MOMENT // 2 - QUIET_SECONDS * RATE
        yield begin / RATE, samples[begin:end]
        begin = end
    yield begin / RATE, samples[begin:]


def _stream(container: Any) -> Any:
    """The stream to listen to. A picture that is the cover of a record makes no film."""
    import av

    cover = getattr(av.stream.Disposition, "attached_pic", 0)
    if any(not stream.disposition & cover for stream in container.streams.video):
        raise Unsupported
    if not container.streams.audio:
        raise Unreadable
    stream = container.streams.audio[0]
    stream.thread_type = "NONE"
    return stream


def _resampled(container: Any, stream: Any) -> Iterator[Any]:
    """Pieces of samples (int16) at ``RATE``."""
    import av

    kind: Any = None
    resampler: Any = None
    for frame in _frames(container, stream):
        if frame.sample_rate < LOWEST_RATE:
            raise Unreadable
        if kind != (kind := (frame.sample_rate, frame.layout.name, frame.format.name)):
            resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        frame.pts = None
        for resampled in resampler.resample(frame):
            yield resampled.to_ndarray()[0]
    if resampler is not None:
        for resampled in resampler.resample(None):
            yield resampled.to_ndarray()[0]


def _frames(container: Any, stream: Any) -> Iterator[Any]:
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            return
        if packet is None:
            return
        with suppress(av.error.InvalidDataError):
            yield from packet.decode()
