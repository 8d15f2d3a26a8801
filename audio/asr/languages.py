"""Names of languages: what a log says, and what Whisper calls it."""

from __future__ import annotations

from typing import Final

_OTHER_TAGS: Final = {"nb": "no", "fil": "tl", "cmn": "zh", "jv": "jw", "iw": "he", "in": "id"}
"""Primary subtags that Whisper knows under another name."""


def primary(tag: str) -> str:
    """The language of a BCP-47 tag without region or script: ``en-GB`` is ``en``."""
    return tag.replace("_", "-").split("-", maxsplit=1)[0].lower()


def whisper_code(tag: str) -> str:
    """What Whisper calls the language of a BCP-47 tag, if it knows it."""
    return _OTHER_TAGS.get(primary(tag), primary(tag))
