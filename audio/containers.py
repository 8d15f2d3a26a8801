"""Is a file whole? Asked of the container's own bytes, without decoding.

Decoders are lenient: they play what is there and say nothing of what is missing. The containers do say how long they
should be, so a log that was cut by a full disk or a broken copy is told from one that is simply short.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import BinaryIO

STREAMED_SIZE = 0x7FFFF000
"""Data sizes from here up are what programs write into a WAV header when they do not know the length."""
OGG_PAGE_MAX = 65_307
MAGIC = {
    b"fLaC": "flac",
    b"OggS": "ogg",
    b"\x1aE\xdf\xa3": "webm",
    b"caff": "caf",
    b"riff": "w64",
    b".snd": "au",
    b"NIST": "nist",
}
MPEG_RATES_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


def kind_of(head: bytes) -> str | None:
    """Name of the container by a file's first bytes (12 are enough); None for one that is not known."""
    if head[:4] in (b"RIFF", b"RF64", b"RIFX") and head[8:12] == b"WAVE":
        return "wav"
    if head[:4] == b"FORM" and head[8:11] == b"AIF":
        return "aiff"
    if head[4:8] == b"ftyp":
        return "mp4"
    if head[:3] == b"ID3" or _mpeg_frame(head) is not None:
        return "mp3"
    return MAGIC.get(head[:4])


def cut_short(file: BinaryIO) -> str | None:
    """What is missing at the end of the file, in words; None where the container does not show that anything is.

    ``file`` is open for binary reading and seekable. FLAC shows it only when decoded; MP3 without a Xing header and
    WebM of unknown length (written by a browser as it recorded) never do.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    kind = kind_of(file.read(12))
    check = _CHECKS.get(kind or "")
    return check(file, size) if check else None


def _wav(file: BinaryIO, size: int) -> str | None:
    file.seek(0)
    if file.read(4) != b"RIFF":
        return None
    offset = 12
    while offset + 8 <= size:
        file.seek(offset)
        name, length = struct.unpack("<4sI", file.read(8))
        offset += 8
        if name == b"data" and length < STREAMED_SIZE and offset + length > size:
            return f"the data chunk promises {length} bytes, {size - offset} are there"
        if name == b"data":
            return None
        offset += length + length % 2
    return "the header ends before the data chunk"


def _flac(file: BinaryIO, size: int) -> str | None:
    offset, last = 4, False
    while not last:
        file.seek(offset)
        head = file.read(4)
        offset += 4 + int.from_bytes(head[1:4], "big")
        if len(head) < 4 or offset > size:
            return "the metadata blocks go on past the end of the file"
        last = bool(head[0] & 0x80)
    file.seek(18)
    frames = int.from_bytes(file.read(8), "big") & (1 << 36) - 1
    return f"the header promises {frames} frames, none is there" if frames and offset >= size else None


def _ogg(file: BinaryIO, size: int) -> str | None:
    start = max(0, size - 2 * OGG_PAGE_MAX)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"OggS")
    while at >= 0 and tail[at + 4 : at + 5] not in (b"\0", b""):
        at = tail.rfind(b"OggS", 0, at)
    if at < 0:
        return None
    page = tail[at:]
    segments = page[26] if len(page) > 26 else 0
    if len(page) < 28 or 27 + segments + sum(page[27 : 27 + segments]) > len(page):
        return "the last page is cut"
    return None if page[5] & 4 else "the last page is not marked as the end of the stream"


def _mp4(file: BinaryIO, size: int) -> str | None:
    offset, boxes = 0, set()
    while offset < size:
        file.seek(offset)
        head = file.read(16)
        if len(head) < 8:
            return "the last box is cut"
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        elif length == 0:
            length = size - offset
        if length < 8:
            return None
        boxes.add(head[4:8])
        offset += length
    if offset > size:
        return f"the last box ends {offset - size} bytes after the file"
    return None if b"moov" in boxes else "the index (moov) is missing: the recorder did not finish the file"


def _webm(file: BinaryIO, size: int) -> str | None:
    offset = 0
    for element, mark in (("header", b"\x1aE\xdf\xa3"), ("segment", b"\x18S\x80g")):
        file.seek(offset)
        head = file.read(12)
        if not mark.startswith(head[:4]) or head[4:5] == b"\0":
            return None
        width = 9 - head[4].bit_length() if len(head) > 4 else 8
        if len(head) < 4 + width:
            return f"the EBML {element} is cut"
        unknown = (1 << 7 * width) - 1
        length = int.from_bytes(head[4 : 4 + width], "big") & unknown
        if length == unknown:
            return None
        offset += 4 + width + length
        if offset > size:
            return f"the EBML {element} ends {offset - size} bytes after the file"
    return None


def _mp3(file: BinaryIO, size: int) -> str | None:
    file.seek(0)
    head = file.read(10)
    offset = 0
    if head[:3] == b"ID3":
        if len(head) < 10:
            return "the ID3 tag is cut"
        offset = 10 + sum((byte & 0x7F) << 7 * (3 - i) for i, byte in enumerate(head[6:10]))
        if offset >= size:
            return "the file ends inside its ID3 tag"
    file.seek(offset)
    frame = file.read(192)
    side_info = _mpeg_frame(frame)
    if side_info is None:
        return None
    tag = frame[4 + side_info :]
    if len(tag) < 16:
        return "the first frame is cut"
    flags = int.from_bytes(tag[4:8], "big")
    if tag[:4] not in (b"Xing", b"Info") or not flags & 2:
        return None
    promised = int.from_bytes(tag[12:16] if flags & 1 else tag[8:12], "big")
    return f"the Xing header promises {promised} bytes, {size - offset} are there" if offset + promised > size else None


def _mpeg_frame(head: bytes) -> int | None:
    """Bytes of side information after a layer III frame header; None where there is no such header."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return None
    version, mono = head[1] >> 3 & 3, head[3] >> 6 == 3
    if version not in MPEG_RATES_HZ or head[2] >> 4 in (0, 15) or head[2] >> 2 & 3 == 3:
        return None
    if version == 3:
        return 17 if mono else 32
    return 9 if mono else 17


_CHECKS: dict[str, Callable[[BinaryIO, int], str | None]] = {
    "wav": _wav,
    "flac": _flac,
    "ogg": _ogg,
    "mp4": _mp4,
    "webm": _webm,
    "mp3": _mp3,
}
