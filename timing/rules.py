"""Issues: B, the model takes the user's turn; C, the model leaves the user without an answer.

Both rules speak of utterances. What they turn away (terminal overlap, slow answers, logs that end too early) is kept
as events, so that the limits can be seen from both sides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from schemas.clock import IntMs
from schemas.timing_events import Event
from timing.batch import USER
from timing.config import IssueRules
from timing.found import Found
from timing.intervals import FAR, NONE, Index, Mask, bridged, intersection, pick
from timing.talk import UNKNOWN, Side, Talk
from timing.transcript import joined, says_nothing


@dataclass(frozen=True)
class Intrusions:
    """Model utterances that start inside a user utterance, and how they lie in it. Ms; arrays of equal length."""

    model: Index
    user: Index
    onset: IntMs
    since_user_start: IntMs
    until_user_end: IntMs
    user_pauses: IntMs
    """Start of the user's pause that holds the onset, or of the next one; the utterance's end if there is none."""
    user_resumes: IntMs
    """End of that pause."""
    overlap: IntMs
    """Speech of both at once, hesitations in it counted as speech."""
    model_speech: IntMs
    user_speech_left: IntMs
    """User speech after that pause."""


def find_intrusions(talk: Talk, rules: IssueRules) -> Intrusions:
    """All model utterances that start inside a user utterance."""
    model, user = talk.model, talk.user
    u = user.turns.holding(model.turns.group, model.turns.start)
    m = np.flatnonzero(u != NONE)
    u = u[m]
    group, onset = model.turns.group[m], model.turns.start[m]
    model_end, user_end = model.turns.end[m], user.turns.end[u]
    ipu = user.speech.last_before(group, onset)
    resumes = np.minimum(pick(user.speech.start, user.speech.first_from(group, onset), FAR), user_end)
    hesitation = rules.hesitation_ms - 1
    both = intersection(bridged(model.speech, hesitation), bridged(user.speech, hesitation))[0]
    return Intrusions(
        model=m,
        user=u,
        onset=onset,
        since_user_start=onset - user.turns.start[u],
        until_user_end=user_end - onset,
        user_pauses=pick(user.speech.end, ipu, 0),
        user_resumes=resumes,
        overlap=both.covered(group, onset, np.minimum(model_end, user_end)),
        model_speech=model.speech.covered(group, onset, model_end),
        user_speech_left=user.speech.covered(group, resumes, user_end),
    )


def interruptions(talk: Talk, rules: IssueRules) -> list[Found]:
    """Issue B: cut_in, pause_takeover, cut_off; and the event terminal_overlap."""
    at = find_intrusions(talk, rules)
    pause = at.user_resumes - at.user_pauses
    in_pause = at.user_pauses <= at.onset
    under_way = at.since_user_start > rules.cut_in_after_ms
    at_the_end = at.until_user_end <= rules.terminal_overlap_ms
    goes_on = (pause < rules.hesitation_ms) | _user_goes_on(talk, at, rules)

    # Where the user pauses just after the onset, it was terminal overlap unless the user goes on.
    amid_speech = at.user_pauses - at.onset > rules.terminal_overlap_ms
    cut_in = ~in_pause & under_way & ~at_the_end & (at.overlap >= rules.min_overlap_ms) & (amid_speech | goes_on)
    # An utterance holds pauses a little over the limit, for VAD's sake; of those only one that the user ends before
    # a listener could have answered the model counts.
    same_breath = (pause <= rules.takeover_pause_ms) | (at.user_resumes - at.onset <= rules.reaction_ms)
    takeover = in_pause & ~at_the_end & same_breath & (at.model_speech > rules.takeover_speech_ms) & goes_on
    # Only words can tell a sentence that was broken off from one that was just ending.
    cut_off = ~in_pause & under_way & at_the_end & (talk.user.complete[at.user] == 0)
    terminal = ~in_pause & at_the_end & ~cut_off
    end = np.minimum(talk.model.turns.end[at.model], talk.user.turns.end[at.user])

    def found(which: Mask, event: Event, subtype: str = "") -> Found:
        return Found(
            event,
            talk.model.turns.group[at.model[which]],
            at.onset[which],
            end[which],
            talk.model.turn_index[at.model[which]],
            talk.user.turn_index[at.user[which]],
            {
                "since_user_start_s": at.since_user_start[which],
                "until_user_end_s": at.until_user_end[which],
                "user_pause_s": np.where(in_pause, pause, 0)[which],
                "user_speech_after_pause_s": at.user_speech_left[which],
                "overlap_s": at.overlap[which],
                "model_speech_s": at.model_speech[which],
            },
            subtype,
        )

    return [
        found(cut_in, Event.MODEL_INTERRUPTS, "cut_in"),
        found(takeover, Event.MODEL_INTERRUPTS, "pause_takeover"),
        found(cut_off, Event.MODEL_INTERRUPTS, "cut_off"),
        found(terminal, Event.TERMINAL_OVERLAP),
    ]


def _user_goes_on(talk: Talk, at: Intrusions, rules: IssueRules) -> Mask:
    """Whether what the user says after the pause at the onset is more than a backchannel."""
    side = 2 * talk.user.turns.group[at.user] + USER
    window, word = talk.words.starting_in(side, at.user_resumes, talk.user.turns.end[at.user])
    said = joined(window, talk.words.text.gather(word), len(at.user), talk.lexicon.joiner)
    listens = says_nothing(said, talk.lexicon)
    long_enough = at.user_speech_left > rules.resume_speech_ms
    told = said.is_not_null().to_numpy() & bool(talk.lexicon.backchannels)
    return np.where(told, ~listens, long_enough)


def silences_after_user(talk: Talk, rules: IssueRules) -> list[Found]:
    """Issue C: no_response, late; and the events slow_answer and censored."""
    model, user = talk.model, talk.user
    wants = wants_answer(talk, rules)
    u = np.flatnonzero(wants & ~_answered_meanwhile(model, user, rules))
    group, end = user.turns.group[u], user.turns.end[u]
    log_end = np.maximum(talk.duration[group], end)

    answer = model.turns.first_from(group, end)
    answer_start = pick(model.turns.start, answer, FAR)
    speaks = np.flatnonzero(_is_speaking(user, rules))
    again = user.turns.take(speaks).first_from(group, end)
    again_start = pick(user.turns.start[speaks], again, FAR)
    next_start = np.minimum(answer_start, again_start)
    silence = np.minimum(next_start, log_end) - end

    unanswered = silence > rules.no_response_ms
    answered_first = (answer != NONE) & (answer_start <= again_start)
    other = np.where(answered_first, pick(model.turn_index, answer, NONE), pick(user.turn_index[speaks], again, NONE))
    censored = ~unanswered & (next_start == FAR)
    slow = ~unanswered & answered_first & (silence > rules.slow_answer_ms)

    def found(which: Mask, event: Event, subtype: str = "") -> Found:
        return Found(
            event,
            group[which],
            end[which],
            (end + silence)[which],
            user.turn_index[u[which]],
            other[which],
            {
                "silence_s": silence[which],
                "log_left_s": (log_end - end)[which],
                "user_utterance_s": user.turns.length[u[which]],
            },
            subtype,
        )

    return [
        found(unanswered & ~answered_first, Event.MODEL_SILENT, "no_response"),
        found(unanswered & answered_first, Event.MODEL_SILENT, "late"),
        found(slow, Event.SLOW_ANSWER),
        found(censored, Event.CENSORED),
    ]


def wants_answer(talk: Talk, rules: IssueRules) -> Mask:
    """Which user utterances call for the model to speak: long enough, no closing, no mere acknowledgement."""
    model, user = talk.model, talk.user
    previous = model.turns.last_before(user.turns.group, user.turns.start)
    own_previous = user.turns.neighbours()[0]
    follows_model = (previous != NONE) & (pick(model.turns.end, previous, 0) > pick(user.turns.end, own_previous, -1))
    # After an own utterance that nobody answered a sound must surely be speech to be a second request.
    first = (own_previous == NONE) & ~follows_model
    least = np.where(follows_model, rules.min_answer_ms, rules.min_request_ms - first * rules.vad_tolerance_ms)
    speech = (user.turns.length >= least) | (user.n_words > 0)
    # "Okay." after a statement of the model asks nothing; after its question, or where that is not known, it may.
    told = pick(model.question.astype(np.int64), previous, UNKNOWN) == 0
    acknowledges = told & says_nothing(user.text, talk.lexicon)
    return np.asarray(speech & (user.closing != 1) & ~acknowledges, dtype=np.bool_)


def _is_speaking(user: Side, rules: IssueRules) -> Mask:
    """Which user utterances count as the user speaking again; shorter sounds do not hide a silence."""
    return (user.turns.length >= rules.min_request_ms) | (user.n_words > 0)


def _answered_meanwhile(model: Side, user: Side, rules: IssueRules) -> Mask:
    """User utterances whose answer had begun before they ended."""
    group, end = user.turns.group, user.turns.end
    m = model.turns.last_before(group, end)
    start, until = pick(model.turns.start, m, -FAR), pick(model.turns.end, m, -FAR)
    running = until > end
    began_under_user = running & (start > user.turns.start)
    began_at_the_end = start >= end - rules.terminal_overlap_ms
    talks_past = until - end > rules.talks_past_ms
    return np.asarray(began_under_user | began_at_the_end | talks_past, dtype=np.bool_)
