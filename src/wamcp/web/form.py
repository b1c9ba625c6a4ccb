"""A multipart form with one file, read as it comes: small fields in memory, the file into a temporary one."""

from collections.abc import Mapping
from tempfile import SpooledTemporaryFile
from typing import Any, NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from wamcp.errors import Rejected

IN_MEMORY = 1024 * 1024
MAX_FIELDS = 30
MAX_FIELD_BYTES = 64 * 1024


class FormFile(NamedTuple):
    """The part ``file``, at its beginning; ``size`` is in bytes."""

    file: SpooledTemporaryFile[bytes]
    mime_type: str | None
    filename: str | None
    size: int


class _Part:
    """A part while it comes."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.name = ""
        self.filename: str | None = None
        self.data = bytearray()
        self.file: SpooledTemporaryFile[bytes] | None = None
        self.size = 0


class Form:
    """Reads a form from :meth:`feed`; use it in ``with``, which removes the file afterwards.

    Raises :class:`Rejected` for what is no multipart form, for two files, for fields above 64 kB and for repeated ones.
    """

    def __init__(self, content_type: str) -> None:
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not boundary:
            raise Rejected("The Content-Type names no boundary; let your HTTP client write that header for forms.")
        self.fields: dict[str, str] = {}
        self.file: FormFile | None = None
        self._part = _Part()
        self._opened: list[SpooledTemporaryFile[bytes]] = []
        self._header, self._value = bytearray(), bytearray()
        callbacks: dict[str, Any] = {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._begin_data,
            "on_part_data": self._take,
            "on_part_end": self._end,
        }
        try:
            self._parser = MultipartParser(boundary, callbacks)  # type: ignore[arg-type]
        except FormParserError as error:
            raise Rejected("The boundary of the form is too long.") from error

    def __enter__(self) -> "Form":
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._opened:
            file.close()

    def feed(self, data: bytes) -> None:
        """Takes the next bytes of the body; writes to disk, so call it in a thread."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise Rejected("The body is no valid multipart form; let your HTTP client write it.") from error

    def _begin(self) -> None:
        self._part = _Part()

    def _end_header(self) -> None:
        self._part.headers[self._header.decode("latin-1").lower()] = self._value.decode("utf-8", "replace")
        self._header.clear()
        self._value.clear()

    def _begin_data(self) -> None:
        part = self._part
        options = _options(part.headers)
        part.name = options.get("name", "")
        part.filename = options.get("filename")
        if part.filename is None:
            if part.name in self.fields or len(self.fields) >= MAX_FIELDS:
                raise Rejected(f"The form has {part.name[:40]!r} twice, or too many fields; give each once.")
            return
        if part.name != "file" or self._opened:
            raise Rejected("The form has a file that is not taken; give one, in the part named `file`.")
        part.file = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - lives as long as the form
        self._opened.append(part.file)

    def _take(self, data: bytes, start: int, end: int) -> None:
        part = self._part
        part.size += end - start
        if part.file is not None:
            part.file.write(data[start:end])
        elif part.size > MAX_FIELD_BYTES:
            raise Rejected(f"{part.name[:40]} is larger than {MAX_FIELD_BYTES:,} bytes; a file needs a file name.")
        else:
            part.data.extend(data[start:end])

    def _end(self) -> None:
        part = self._part
        if part.file is None:
            self.fields[part.name] = part.data.decode("utf-8", "replace")
            return
        part.file.seek(0)
        self.file = FormFile(part.file, part.headers.get("content-type"), part.filename or None, part.size)


def _options(headers: Mapping[str, str]) -> dict[str, str]:
    disposition = headers.get("content-disposition", "").encode()
    _, options = parse_options_header(disposition)
    return {name.decode("latin-1"): value.decode("utf-8", "replace") for name, value in options.items()}
