"""Who has the floor: floor turns, floor transfer offsets, and pauses, gaps and overlaps (Heldner & Edlund 2010)."""

from __future__ import annotations

import numpy as np

from schemas.clock import IntMs
from schemas.timing_events import Event
from timing.found import Found
from timing.intervals import NONE, Index, Mask, Spans, intersection, pick, union
from timing.talk import Side, Talk


def floor_transfers(turns: Spans, utterance: Mask, speech: Spans) -> tuple[Index, IntMs, Mask]:
    """Floor turn of every turn (NONE for a backchannel), FTO in ms, and where there is one.

    ``turns`` go by (dialogue, start), both sides mixed, with groups 2 x dialogue + side; ``speech`` is the IPUs of the
    utterances. An utterance goes on with its side's floor turn if the other side said nothing since; else it opens
    one, and its FTO is its start minus the end of the other side's last IPU begun before, negative in overlap.
    """
    floor_turn = np.full(len(turns), NONE, dtype=np.int64)
    fto = np.zeros(len(turns), dtype=np.int64)
    transfer = np.zeros(len(turns), dtype=np.bool_)
    which = np.flatnonzero(utterance)
    if not len(which):
        return floor_turn, fto, transfer
    own = turns.take(which)
    by_side = np.argsort(own.group, kind="stable")
    previous = np.full(len(own), NONE, dtype=np.int64)
    same_side = own.group[by_side][1:] == own.group[by_side][:-1]
    previous[by_side[1:]] = np.where(same_side, by_side[:-1], NONE)
    other = own.group ^ 1
    said_between = speech.covered(other, pick(own.end, previous, 0), own.start) > 0
    opens = (previous == NONE) | said_between

    dialogue = own.group // 2
    number = np.cumsum(opens)
    number -= number[np.searchsorted(dialogue, dialogue)]
    # Along one side the numbers of the floor turns it opens grow, so the last one opened is the running maximum.
    opened = np.where(opens, number, NONE)[by_side] + own.group[by_side] * len(own)
    floor_turn[which[by_side]] = np.maximum.accumulate(opened) - own.group[by_side] * len(own)

    last = speech.last_before(other, own.start)
    transfer[which] = opens & (last != NONE)
    fto[which] = np.where(transfer[which], own.start - pick(speech.end, last, 0), 0)
    return floor_turn, fto, transfer


def silences(talk: Talk) -> list[Found]:
    """Time in which nobody speaks: pause, where the same side goes on, and gap, where the other one does."""
    sides = (talk.model, talk.user)
    group = np.concatenate([side.speech.group for side in sides])
    start = np.concatenate([side.speech.start for side in sides])
    end = np.concatenate([side.speech.end for side in sides])
    turn = np.concatenate([side.turn_index[side.of_speech] for side in sides])
    is_user = np.repeat([False, True], [len(side.speech) for side in sides])
    spurts, owner = union(group, start, end)
    closing = np.lexsort((end, owner))
    closing = closing[np.searchsorted(owner[closing], np.arange(len(spurts)), side="right") - 1]
    opening = np.lexsort((start, owner))
    opening = opening[np.searchsorted(owner[opening], np.arange(len(spurts)), side="left")]
    between = np.flatnonzero(spurts.group[1:] == spurts.group[:-1])
    before, after = closing[between], opening[between + 1]
    t, until = spurts.end[between], spurts.start[between + 1]
    resumed = is_user[before] == is_user[after]
    return [
        Found(
            event,
            spurts.group[between][which],
            t[which],
            until[which],
            turn[before][which],
            turn[after][which],
            {"duration_s": (until - t)[which]},
        )
        for event, which in ((Event.PAUSE, resumed), (Event.GAP, ~resumed))
    ]


def overlaps(talk: Talk) -> list[Found]:
    """Time in which both speak: between turns, or within the turn of one who keeps the floor (backchannels too)."""
    meet, i, j = intersection(talk.model.speech, talk.user.speech)
    m, u = talk.model.of_speech[i], talk.user.of_speech[j]
    model, user = talk.model.turns, talk.user.turns
    user_first = user.start[u] <= model.start[m]
    held_end = np.where(user_first, user.end[u], model.end[m])
    guest_end = np.where(user_first, model.end[m], user.end[u])
    within = guest_end <= held_end
    holder = np.where(user_first, talk.user.turn_index[u], talk.model.turn_index[m])
    guest = np.where(user_first, talk.model.turn_index[m], talk.user.turn_index[u])
    found = [
        Found(
            event,
            meet.group[which],
            meet.start[which],
            meet.end[which],
            holder[which],
            guest[which],
            {"duration_s": meet.length[which]},
        )
        for event, which in ((Event.OVERLAP_BETWEEN, ~within), (Event.OVERLAP_WITHIN, within))
    ]
    return [*found, _listened(talk.model, talk.user), _listened(talk.user, talk.model)]


def _listened(speaker: Side, listener: Side) -> Found:
    meet, i, j = intersection(speaker.speech, listener.backchannels)
    return Found(
        Event.OVERLAP_WITHIN,
        meet.group,
        meet.start,
        meet.end,
        speaker.turn_index[speaker.of_speech[i]],
        listener.backchannel_index[j],
        {"duration_s": meet.length},
    )
