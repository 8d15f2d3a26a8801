"""The transcript a judge reads: one line per turn, fenced, and with nothing in it that could pass for our own marks.

What was said is untrusted. Speech has no brackets, braces or pipes, so these are replaced wherever they stand: with
them go chat-template tokens, JSON, code fences and copies of our line heads, in any spelling.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from judges.dialogue import Dialogue, Turn
from judges.settings import TranscriptConfig

NO_WORDS = "[speech, no words]"
_HEADER_CHARS = 1000
"""Longest persona, characters."""
_MARKS = str.maketrans(
    {"[": "(", "]": ")", "{": "(", "}": ")", "<": "‹", ">": "›", "|": "/", "\\": "/", "`": "'", "\u2581": " "}
)
_QUOTES = frozenset("„‚「」『』《》〈〉")
_INVISIBLE = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f")
_GONE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_PLAIN = re.compile(r"[\w .,;?!'\"%&+$€£¿¡’“”…–—/-]*", re.ASCII)
_ROLE = re.compile(
    r"\b(user|model|system|assistant|human|developer|tool|ai|bot|judge|instructions?|response|turn\s*\d+)"
    r"(\s*+\([^()]*+\))?\s*+:",
    re.IGNORECASE,
)
_CAPITALS = re.compile(r"\b(\w{2,}+)\s*+:")
_TURN = re.compile(r"\(\s*(turn\s*\d+[^()]*)\)(\s*:)?", re.IGNORECASE)
_RULE = re.compile(r"([#=~*_-])\1{2,}")
_ACCENT = "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u20d0-\u20ff]"
_STACKED = re.compile(f"({_ACCENT}{{3}}){_ACCENT}+")


@dataclass(frozen=True)
class Transcript:
    """A fenced transcript, and the turns to evaluate that it holds; it is too short for the others."""

    text: str
    shown: tuple[int, ...]


def transcript(dialogue: Dialogue, ask: Sequence[int], config: TranscriptConfig) -> Transcript:
    """The dialogue as timed lines. ``ask``: indices of the turns to evaluate, in order.

    A dialogue that is too long is cut down to these turns and what surrounds them, from the first on; those that do
    not fit any more are left out.
    """
    header = [f"[{name}] {text}" for name, text in _header(dialogue).items() if text]
    lines = [_line(turn, config.turn_chars) for turn in dialogue.turns]
    room = config.dialogue_chars - sum(map(len, header))
    kept = _kept([len(line) + 1 for line in lines], _positions(dialogue.turns, ask), room, config.around)
    body = "\n".join([*header, *_with_gaps(lines, kept)])
    fence = hashlib.blake2b(body.encode(), digest_size=16).hexdigest()
    shown_turns = {dialogue.turns[position].index for position in kept}
    return Transcript(
        f"<<<TRANSCRIPT {fence}\n{body}\nTRANSCRIPT {fence}>>>",
        tuple(index for index in ask if index in shown_turns),
    )


def one_line(text: str) -> str:
    """Untrusted text as one line of visible characters without anything that looks like a mark of ours."""
    if _PLAIN.fullmatch(text) is None:
        text = unicodedata.normalize("NFKC", text)
        text = "".join(map(_character, text)).translate(_MARKS)
        text = _STACKED.sub(r"\1", text)
    text = _TURN.sub(lambda found: found[1] + (" -" if found[2] else ""), text)
    text = _CAPITALS.sub(lambda found: f"{found[1]} -" if found[1].isupper() else found[0], text)
    text = _ROLE.sub(lambda found: found[0][:-1].rstrip() + " -", text)
    return " ".join(_RULE.sub(r"\1", text).split())


@lru_cache(maxsize=8192)
def _character(character: str) -> str:
    """The character, what stands for it, or nothing where it cannot be seen."""
    if character < "\x7f":
        return character if character >= " " else " "
    category = unicodedata.category(character)
    if character in _INVISIBLE or "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef":
        return ""
    if category in _GONE:
        return " " if category in {"Cc", "Zl", "Zp"} else ""
    if category in {"Ps", "Pe"} and character not in _QUOTES:
        return "(" if category == "Ps" else ")"
    return character


def _header(dialogue: Dialogue) -> dict[str, str]:
    return {
        "language": _shortened(one_line(dialogue.language), 100),
        "persona of the MODEL": _shortened(one_line(dialogue.persona), _HEADER_CHARS),
    }


def _line(turn: Turn, most: int) -> str:
    facts = [f"turn {turn.index}"] if turn.is_reply else []
    facts += ["backchannel"] if turn.kind == "backchannel" else []
    facts += [f"overlaps {turn.overlap_s:.2f} s"] if turn.overlap_s >= 0.005 else []
    listed = f" ({', '.join(facts)})" if facts else ""
    said = _shortened(one_line(turn.text), most) or NO_WORDS
    return f"[{turn.start_s:.2f}-{turn.end_s:.2f}] {turn.channel.upper()}{listed}: {said}"


def _shortened(text: str, most: int) -> str:
    """Beginning and end of a text that is too long, with what lies between named."""
    if len(text) <= most:
        return text
    head, tail = most * 2 // 3, most // 3
    return f"{text[:head]} [cut: {len(text) - head - tail} characters] {text[-tail:]}"


def _positions(turns: Sequence[Turn], ask: Iterable[int]) -> list[int]:
    wanted = set(ask)
    return [position for position, turn in enumerate(turns) if turn.index in wanted]


def _kept(sizes: Sequence[int], asked: Sequence[int], room: int, around: int) -> list[int]:
    """Positions of the lines that are shown, ascending."""
    if sum(sizes) <= room:
        return list(range(len(sizes)))
    kept: set[int] = set()
    for position in asked:
        near = range(max(0, position - around), min(len(sizes), position + around + 1))
        for more in (near, [position]):  # where there is no room for what surrounds it, the turn alone
            new = set(more) - kept
            if sum(sizes[i] for i in new) <= room:
                kept |= new
                room -= sum(sizes[i] for i in new)
                break
    return sorted(kept)


def _with_gaps(lines: Sequence[str], kept: Sequence[int]) -> list[str]:
    """The kept lines, and one line for each run that is left out."""
    shown = []
    for before, position in zip([-1, *kept], [*kept, len(lines)], strict=True):
        missing = position - before - 1
        if missing:
            shown.append(f"[left out: {missing} turns]")
        if position < len(lines):
            shown.append(lines[position])
    return shown
