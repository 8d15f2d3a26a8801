"""Scenes: the ways a stretch of talk can go, with or without a timing fault.

A dialogue is a row of scenes. The model answers at once, cuts in, takes the floor in a pause, never answers; each scene
says its lines and notes what it planted.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from dialogue_script import LINES, Dialogue, Parts, Spoken, cut, length, plain

from schemas.clock import round_s

LONGEST_BACKCHANNEL_S = 0.9


# --- scenes without a fault


def answered_after(d: Dialogue, low: float, high: float) -> tuple[Spoken, Spoken]:
    """A question and its answer that starts ``low`` to ``high`` seconds after it."""
    _, asking, _, answering = d.exchange()
    asked = d.ask(asking)
    return asked, d.place("model", answering, asked.end + d.between(low, high))


def plain_answer(d: Dialogue) -> None:
    """The user asks, the model answers after a natural gap."""
    _, asking, _, answering = d.exchange()
    d.place("model", answering, d.ask(asking).end + d.offset())


def terminal_overlap(d: Dialogue) -> None:
    """The model comes in on the last syllables of a complete question."""
    _, asking, _, answering = d.exchange(answer_s=1.0)
    asked = d.ask(asking)
    early = min(d.between(0.06, 0.28), 0.3 * (asked.end - asked.segments[-1].start))
    replied = d.place("model", answering, asked.end - early)
    d.note("neg", "terminal_overlap", replied.start)


def user_terminal_overlap(d: Dialogue) -> None:
    """The user's next turn comes in on the model's last syllables."""
    _, asking, _, answering = d.exchange(answer_s=1.5)
    d.place("model", answering, d.ask(asking).end + d.offset())
    _, asking, _, answering = d.exchange()
    asked = d.place("user", asking, d.now - d.between(0.06, 0.28))
    d.note("neg", "user_terminal_overlap", asked.start)
    d.place("model", answering, d.now + d.offset())


def slow_response(d: Dialogue) -> None:
    """The answer takes 1.0-1.9 s: slow, and allowed."""
    _, replied = answered_after(d, 1.0, 1.9)
    d.note("neg", "slow_response", replied.start)


def slow_2s(d: Dialogue) -> None:
    """The answer takes 2.0-2.6 s: at the edge, and allowed."""
    asked, _ = answered_after(d, 2.0, 2.6)
    d.note("neg", "slow_2s", asked.end)


def user_pause(d: Dialogue) -> None:
    """The user stops to think inside an utterance; the model waits."""
    begun = d.user_turn(d.line("beginnings"))
    _, asking, _, answering = d.exchange(question_s=0.8)
    pause_s = d.between(0.4, 0.9)
    asked = d.place("user", asking, begun.end + pause_s)
    d.note("neg", "user_pause", begun.end, pause=round_s(pause_s))
    d.place("model", answering, asked.end + d.offset())


def backchannel(d: Dialogue, who: str) -> tuple[str, Parts]:
    """A backchannel as short as people's, in this side's voice."""
    for _ in LINES["backchannels"]:
        text = str(d.line("backchannels"))
        parts = d.plan(who, text)
        if length(parts) <= LONGEST_BACKCHANNEL_S:
            return text, parts
    raise RuntimeError(f"{d.voices[who].label} says no backchannel in {LONGEST_BACKCHANNEL_S} s")


def model_backchannel(d: Dialogue) -> None:
    """The model says "mm-hm" while the user tells something; the user goes on to the question."""
    told = d.user_turn(d.line("lead_ins"))
    text, parts = backchannel(d, "model")
    start = d.between(told.start + 1.1, max(told.start + 1.2, told.end - 0.3))
    heard = d.place("model", parts, start, "backchannel")
    d.note("neg", "model_backchannel", heard.start, text=text)
    _, asking, _, answering = d.exchange()
    asked = d.place("user", asking, told.end + d.between(0.25, 0.6))
    d.place("model", answering, max(asked.end, heard.end + 0.95) + d.offset())


def user_backchannel(d: Dialogue) -> None:
    """The user says "yeah" under the model's reply; the model goes on."""
    _, asking, _, answering = d.exchange(answer_s=3.2)
    replied = d.place("model", answering, d.ask(asking).end + d.offset())
    text, parts = backchannel(d, "user")
    heard = d.place("user", parts, d.between(replied.start + 1.1, replied.end - 0.9 - length(parts)), "backchannel")
    d.note("neg", "user_backchannel", heard.start, text=text)
    d.now = max(d.now, heard.end + 0.95)


def offer(d: Dialogue) -> float:
    """A question, its answer, and an offer of more in the same model turn; returns where it ends."""
    _, asking, _, answering = d.exchange()
    replied = d.place("model", answering, d.ask(asking).end + d.offset())
    return d.say("model", d.line("offers"), replied.end + d.between(0.25, 0.5)).end


def short_answer(d: Dialogue) -> None:
    """The model offers more, the user says "Yeah.", the model goes on."""
    said = d.say("user", d.line("short_answers"), offer(d) + d.between(0.2, 0.7))
    d.note("neg", "short_answer", said.end)
    d.say("model", d.line("follow_ups"), said.end + d.offset())


def user_bargein_yield(d: Dialogue) -> None:
    """The user breaks into a running reply; the model stops within 0.25-0.7 s and hands over."""
    _, asking, _, answering = d.exchange(answer_s=2.6)
    start = d.ask(asking).end + d.offset()
    replied = d.place("model", cut(answering, d.between(2.0, length(answering) - 0.4)), start, "turn_cut")
    broke = d.say("user", d.line("barge_ins"), replied.end - d.between(0.25, 0.7))
    d.note("neg", "user_bargein_yield", broke.start)
    d.say("model", d.line("handovers"), broke.end + d.offset())


# --- scenes with a type-B fault


def overlap(d: Dialogue) -> None:
    """The model starts in the middle of a long turn of the user, who talks on to the end."""
    turn = d.user_turn(d.line("long_turns"))
    _, _, _, answering = d.exchange(answer_s=1.2)
    within = max(turn.segments, key=lambda segment: segment.end - segment.start)
    start = d.between(within.start + 1.1, min(within.end - 0.7, turn.end - 1.2))
    d.intrusion("overlap", (turn.start, turn.end), d.place("model", answering, start))


def pause(d: Dialogue) -> None:
    """The user stops to think, the model takes the floor in the pause, and the user goes on over it."""
    begun = d.user_turn(d.line("beginnings"))
    _, asking, _, _ = d.exchange(question_s=1.0)
    _, _, _, answering = d.exchange(answer_s=1.8)
    taken = d.place("model", answering, begun.end + d.between(0.2, 0.4))
    went_on = d.place("user", asking, min(taken.start + d.between(0.25, 0.6), begun.end + 0.95))
    d.intrusion("pause", (begun.start, went_on.end), taken)


def gives_way(d: Dialogue, subtype: str, low: float, high: float) -> None:
    """The model cuts into an unfinished sentence and the user falls silent ``low`` to ``high`` seconds later."""
    turn = d.say("user", d.line("unfinished"), d.next_start(), "turn_unfinished")
    _, _, _, answering = d.exchange(answer_s=1.5)
    d.intrusion(subtype, (turn.start, turn.end), d.place("model", answering, turn.end - d.between(low, high)))


def yield_(d: Dialogue) -> None:
    """The model cuts in and the user gives way 0.65-0.95 s later, the sentence unfinished."""
    gives_way(d, "yield", 0.65, 0.95)


def cut_off(d: Dialogue) -> None:
    """The model cuts in and the user gives way within 0.4 s, the sentence unfinished: told from words only."""
    gives_way(d, "cut_off", 0.15, 0.4)


# --- scenes with a type-C fault


def reprompt(d: Dialogue) -> None:
    """No answer for 3.6-7 s; the user asks again whether anyone is there, and then is answered."""
    question, asking, answer, answering = d.exchange(question_s=0.5)
    asked = d.ask(asking)
    silence = d.between(3.6, 7.0)
    again = d.say("user", d.line("reprompts"), asked.end + silence)
    d.unanswered("reprompt", asked.end, silence, question, answer)
    d.place("model", answering, again.end + d.offset())


def late(d: Dialogue) -> None:
    """The answer comes 3.5-9 s after the question."""
    question, asking, answer, answering = d.exchange(question_s=0.5)
    asked = d.ask(asking)
    silence = d.between(3.5, 9.0)
    d.place("model", answering, asked.end + silence)
    d.unanswered("late", asked.end, silence, question, answer)


def after_short_answer(d: Dialogue) -> None:
    """The model offers more, the user says yes, nothing comes, and the user asks something else."""
    offered = offer(d)
    answers = [d.plan("user", text) for text in LINES["short_answers"]]
    audible_ones = [parts for parts in answers if length(parts) >= 0.45]
    said = d.place("user", audible_ones[int(d.rng.integers(len(audible_ones)))], offered + d.between(0.2, 0.7))
    silence = d.between(5.0, 8.0)
    d.note("C", "after_short_answer", said.end, silence=round_s(silence))
    _, asking, _, answering = d.exchange()
    asked = d.place("user", asking, said.end + silence)
    d.place("model", answering, asked.end + d.offset())


# --- a scene with a type-A fault


def off_topic(d: Dialogue) -> None:
    """The model answers in time, and the answer belongs to another question."""
    question, asking, good, _ = d.exchange(question_s=0.8)
    _, _, wrong, answering = d.exchange(answer_s=1.0)
    replied = d.place("model", answering, d.ask(asking).end + d.offset())
    details = {"text": plain(wrong), "question": plain(question), "good": plain(good)}
    d.note("A", "offtopic", replied.start, model_turn=[replied.start, replied.end], **details)


# --- how a dialogue begins and ends


def greeting(d: Dialogue) -> None:
    """The model opens; sometimes the user greets back and the model lets the user come to the question."""
    opened = d.say("model", d.line("greetings"), d.between(0.3, 1.2))
    if d.rng.random() < 0.5:
        d.say("user", d.line("user_greetings"), opened.end + d.offset())


def end(d: Dialogue) -> None:
    """The last question is never answered: the log runs on for 6-9 s and stops."""
    question, asking, answer, _ = d.exchange(question_s=0.5)
    asked = d.ask(asking)
    d.tail_s = d.between(6.0, 9.0)
    d.unanswered("end", asked.end, d.tail_s, question, answer)


def goodbye(d: Dialogue) -> None:
    """The user says goodbye and the log runs on for 4-6 s; nobody owes an answer."""
    said = d.user_turn(d.line("goodbyes"))
    d.tail_s = d.between(4.0, 6.0)
    d.note("neg", "goodbye", said.end)


def answered_goodbye(d: Dialogue) -> None:
    """Both say goodbye; the log runs on a little."""
    said = d.user_turn(d.line("goodbyes"))
    d.say("model", d.line("model_goodbyes"), said.end + d.offset())
    d.tail_s = d.between(1.0, 6.0)
    d.note("neg", "answered_goodbye", d.now)


def log_ends(d: Dialogue) -> None:
    """The log stops 0.5-2.2 s after a question: too early to say that no answer came."""
    _, asking, _, _ = d.exchange(question_s=0.5)
    asked = d.ask(asking)
    d.tail_s = d.between(0.5, 2.2)
    d.note("neg", "log_ends", asked.end)


Scene = Callable[[Dialogue], None]
FAULTS: dict[Scene, float] = {
    overlap: 4,
    pause: 3,
    yield_: 2,
    cut_off: 1,
    reprompt: 3,
    late: 3,
    after_short_answer: 1.5,
    off_topic: 1,
}
HARMLESS: dict[Scene, float] = {
    plain_answer: 3,
    terminal_overlap: 2,
    user_terminal_overlap: 1,
    slow_response: 1.5,
    slow_2s: 1.5,
    user_pause: 2,
    model_backchannel: 2,
    user_backchannel: 1.5,
    short_answer: 1.5,
    user_bargein_yield: 1.5,
}
ENDINGS: dict[Scene, float] = {end: 4, goodbye: 2, answered_goodbye: 3, log_ends: 1}


def draw(scenes: dict[Scene, float], rng: np.random.Generator) -> Scene:
    """One scene by weight."""
    weights = np.array(list(scenes.values()))
    return list(scenes)[int(rng.choice(len(weights), p=weights / weights.sum()))]


def draw_plot(rng: np.random.Generator) -> list[Scene]:
    """The scenes of one dialogue: five to nine, about four in ten with a fault, and an ending."""
    plot: list[Scene] = [greeting] if rng.random() < 0.3 else []
    plot += [draw(FAULTS if rng.random() < 0.42 else HARMLESS, rng) for _ in range(int(rng.integers(5, 10)))]
    return [*plot, draw(ENDINGS, rng)]
