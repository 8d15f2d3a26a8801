"""A scripted dialogue: two voices, their lines, where each utterance lies, and what was planted.

Scenes (``scenes.py``) say lines on a ``Dialogue`` and note what they planted: events of type B or C are faults, ``neg``
is behaviour that must not be taken for one.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from voices import RATE_HZ, Samples, Studio, Voice, audible

from schemas.clock import round_s, samples_to_seconds, seconds_to_samples

LINES: dict[str, list[Any]] = tomllib.loads(Path(__file__).with_name("dialogue_lines.toml").read_text())
FADE_S = 0.03
"""A voice that stops within a word fades out over this long."""


Parts = list[tuple[str, Samples, float]]
"""An utterance before it is placed: text, audio and the pause before it, for each stretch between pauses."""


@dataclass(frozen=True)
class Segment:
    """Audible speech of one side between pauses; ``kind``: turn, turn_cut, turn_unfinished or backchannel."""

    who: str
    start: float
    end: float
    text: str
    kind: str
    audio: Samples


@dataclass(frozen=True)
class Spoken:
    """One utterance as it was said: where it starts and ends, and the segments between its pauses."""

    start: float
    end: float
    segments: tuple[Segment, ...]


@dataclass
class Dialogue:
    """A dialogue being written: two voices, what was said so far, and what was planted."""

    dialogue_id: str
    voices: dict[str, Voice]
    studio: Studio
    rng: np.random.Generator
    segments: list[Segment] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    now: float = 0.0
    tail_s: float = 1.0
    _used: set[str] = field(default_factory=set)

    def line(self, kind: str) -> Any:
        """A line of this kind that the dialogue has not used yet (any, once all are used)."""
        lines = LINES[kind]
        fresh = [line for line in lines if str(line) not in self._used] or lines
        chosen = fresh[int(self.rng.integers(len(fresh)))]
        self._used.add(str(chosen))
        return chosen

    def exchange(self, question_s: float = 0.0, answer_s: float = 0.0) -> tuple[str, Parts, str, Parts]:
        """A question and its answer, planned, that run at least so long: (question, parts, answer, parts)."""
        for _ in range(len(LINES["exchanges"])):
            question, answer = self.line("exchanges")
            asking, answering = self.plan("user", question), self.plan("model", answer)
            if length(asking) >= question_s and length(answering) >= answer_s:
                return question, asking, answer, answering
        raise RuntimeError(f"no exchange runs {question_s} and {answer_s} s with these voices; write a longer one")

    def between(self, low: float, high: float) -> float:
        """A uniform draw."""
        return float(self.rng.uniform(low, high))

    def offset(self) -> float:
        """How long people wait before they answer: mostly 0.2-0.5 s, never outside 0.1-0.9 s."""
        return float(self.rng.triangular(0.1, 0.3, 0.9))

    def plan(self, who: str, text: str) -> Parts:
        """The parts of an utterance with the pause before each (0 for the first), drawn but not yet placed."""
        texts = [part.strip() for part in text.split("|")]
        joined = [texts[0]]
        for part in texts[1:]:
            if self.rng.random() < 0.6:
                joined.append(part)
            else:
                joined[-1] += " " + part
        pauses = [0.0] + [self.between(0.25, 0.9) for _ in joined[1:]]
        return [
            (part, self.studio.speak(self.voices[who], part), gap) for part, gap in zip(joined, pauses, strict=True)
        ]

    def place(self, who: str, parts: Parts, start: float, kind: str = "turn") -> Spoken:
        """Put planned parts on a channel from ``start``; ``now`` moves to the latest end."""
        said: list[Segment] = []
        at = start
        for text, audio, pause in parts:
            begin = round_s(at + pause)
            end = round_s(begin + samples_to_seconds(len(audio), RATE_HZ))
            said.append(Segment(who, begin, end, text, kind, audio))
            at = end
        self.segments.extend(said)
        self.now = max(self.now, at)
        return Spoken(said[0].start, said[-1].end, tuple(said))

    def say(self, who: str, text: str, start: float, kind: str = "turn") -> Spoken:
        """Plan and place in one."""
        return self.place(who, self.plan(who, text), start, kind)

    def user_turn(self, text: str) -> Spoken:
        """The user takes the next turn after a natural gap."""
        return self.say("user", text, self.next_start())

    def ask(self, parts: Parts) -> Spoken:
        """The user's next turn, already planned."""
        return self.place("user", parts, self.next_start())

    def next_start(self) -> float:
        """When the next turn starts: a natural gap after whatever was said last."""
        return self.now + self.offset() + self.between(0.0, 0.4)

    def note(self, kind: str, subtype: str, t: float, **details: Any) -> None:
        """Note what was planted at ``t``."""
        self.events.append({"type": kind, "subtype": subtype, "t": round_s(t), **details})

    def intrusion(self, subtype: str, user: tuple[float, float], model: Spoken) -> None:
        """Note a type-B fault at the onset of the model's intrusion."""
        self.note("B", subtype, model.start, user_turn=list(user), model_turn=[model.start, model.end])

    def unanswered(self, subtype: str, end: float, silence: float, question: str, good: str) -> None:
        """Note a type-C fault at the end of the unanswered user turn."""
        self.note("C", subtype, end, silence=round_s(silence), question=plain(question), good=plain(good))


def plain(text: str) -> str:
    """The line without its pause marks."""
    return text.replace(" |", "")


def length(parts: Parts) -> float:
    """Seconds the planned parts take, pauses included."""
    return sum(samples_to_seconds(len(audio), RATE_HZ) + pause for _, audio, pause in parts)


def cut(parts: Parts, keep_s: float) -> Parts:
    """The parts up to ``keep_s``, the last one faded out; shorter still where the cut falls in a silence."""
    kept: Parts = []
    left = keep_s
    for text, audio, pause in parts:
        left -= pause
        if left <= 0.1:
            break
        head = audio[: seconds_to_samples(left, RATE_HZ)].copy()
        if len(head) < len(audio):
            fade = seconds_to_samples(FADE_S, RATE_HZ)
            head[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
            head = audible(head)
            share = len(head) / len(audio)
            words = text.split()
            kept.append((" ".join(words[: max(1, int(share * len(words)))]), head, pause))
            break
        kept.append((text, audio, pause))
        left -= samples_to_seconds(len(audio), RATE_HZ)
    return kept


def play(d: Dialogue, plot: Iterable[Callable[[Dialogue], None]]) -> tuple[Samples, Samples]:
    """Play the scenes in order; returns the dry channels (model, user), float32 at 24 kHz, equally long."""
    d.now = d.between(0.1, 0.5)
    for scene in plot:
        scene(d)
    n_samples = seconds_to_samples(d.now + d.tail_s, RATE_HZ)
    channels = {who: np.zeros(n_samples, np.float32) for who in ("model", "user")}
    for segment in d.segments:
        first = seconds_to_samples(segment.start, RATE_HZ)
        channels[segment.who][first : first + len(segment.audio)] += segment.audio
    return channels["model"], channels["user"]


def truth_of(d: Dialogue, duration_s: float, condition: dict[str, Any]) -> dict[str, Any]:
    """The truth file of a played dialogue: condition, voices, segments and events in the order of time."""
    segments = sorted(d.segments, key=lambda s: (s.start, s.who))
    return {
        "id": d.dialogue_id,
        "duration": round_s(duration_s),
        "condition": condition,
        "voices": {who: voice.label for who, voice in d.voices.items()},
        "segments": [{"who": s.who, "start": s.start, "end": s.end, "text": s.text, "kind": s.kind} for s in segments],
        "events": sorted(d.events, key=lambda event: event["t"]),
    }


def words_of(d: Dialogue) -> dict[str, list[dict[str, Any]]]:
    """The words file: each segment's words, times interpolated by their letters."""
    words = []
    for s in sorted(d.segments, key=lambda s: (s.start, s.who)):
        texts = s.text.split()
        edges = np.cumsum([0, *(len(text) + 1 for text in texts)])
        at = s.start + edges / edges[-1] * (s.end - s.start)
        words += [
            {"channel": s.who, "text": text, "start": round_s(at[i]), "end": round_s(at[i + 1])}
            for i, text in enumerate(texts)
        ]
    return {"words": sorted(words, key=lambda word: word["start"])}
