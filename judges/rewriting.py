"""Better replies for many faults at once: each fault ends with a reply, or with the reason why it has none."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from judges.clients import Client
from judges.dialogue import Turn
from judges.faults import Fault
from judges.ladder import Outcome, climb
from judges.languages import language
from judges.rewriter import Rewriter, Written
from judges.settings import RewriteConfig
from judges.speakable import Limits, Rule, problems
from schemas.rewrites import NoRewrite
from schemas.verdicts import Unscored

_COMPARED = 2000
"""Words that are compared: loops of the model can be very long."""

_NO_ANSWER: Mapping[Unscored | None, NoRewrite] = {
    Unscored.REQUEST_FAILED: NoRewrite.REQUEST_FAILED,
    Unscored.TOO_LONG: NoRewrite.TOO_LONG,
}

Status = Literal["rewritten", "adequate", "rejected", "failed", "over_budget"]


@dataclass(frozen=True)
class Rewritten:
    """What became of a fault. ``tries``: the answers it took; none where nothing was asked."""

    fault: Fault
    status: Status
    reason: NoRewrite | None = None
    detail: str | None = None
    written: Written | None = None
    edit_share: float | None = None
    tries: Sequence[Outcome[Written]] = field(default_factory=tuple)


async def rewrite(client: Client, rewriter: Rewriter, faults: Sequence[Fault]) -> list[Rewritten]:
    """Put every fault to the rewriter that has to be. A reply that cannot be said aloud is asked for once more.

    Faults that `pairs` mends from the log alone (``left_to_pairs``) are not among the results. Raises ServerGoneError.
    """
    found = [fault for fault in faults if not left_to_pairs(fault)]
    settled = [without_asking(fault, rewriter.config) for fault in found]
    asked = [fault for fault, known in zip(found, settled, strict=True) if known is None]
    outcomes = await climb(client, [rewriter.ask(fault) for fault in asked], rewriter.templates)
    judged = [_judged(fault, outcome, rewriter) for fault, outcome in zip(asked, outcomes, strict=True)]
    answers = iter(await _said_again(client, rewriter, judged))
    return [next(answers) if known is None else known for known in settled]


def left_to_pairs(fault: Fault) -> bool:
    """Whether only the time of a logged reply is at fault, and nothing is to be said of the reply itself.

    So it is with a late answer that the judge did not find adequate, and with a reply to words nobody knows.
    """
    if fault.needs_reply:
        return False
    judged_whole = fault.judged_fine and fault.whole
    return not judged_whole and (fault.subtype == "late" or not _has_words(fault.asked))


def without_asking(fault: Fault, config: RewriteConfig) -> Rewritten | None:
    """What is known of a fault before anything is paid for; None: the rewriter has to be asked."""
    if fault.judged_fine and fault.reply_may_stay:
        return Rewritten(fault, "adequate")
    if fault.rank >= config.budget:
        detail = f"rank {fault.rank}, budget {config.budget}"
        return Rewritten(fault, "over_budget", NoRewrite.RANK_OVER_BUDGET, detail)
    if fault.asked is not None and not _has_words(fault.asked):
        detail = f"turn {fault.asked.index} of the user has no words"
        return Rewritten(fault, "rejected", NoRewrite.NO_USER_WORDS, detail)
    return None


async def _said_again(client: Client, rewriter: Rewriter, judged: Sequence[Rewritten]) -> list[Rewritten]:
    """The same, those that cannot be said aloud asked for once more."""
    results = list(judged)
    places = [place for place, one in enumerate(results) if one.reason is NoRewrite.UNSPEAKABLE]
    again = [
        rewriter.ask_again(results[place].fault, written, _broken(results[place], rewriter))
        for place in places
        if (written := results[place].written) is not None
    ]
    for place, outcome in zip(places, await climb(client, again, rewriter.templates), strict=True):
        first = results[place]
        second = _judged(first.fault, outcome, rewriter)
        better = first if second.status == "failed" else second
        results[place] = replace(better, tries=(*first.tries, outcome))
    return results


def _has_words(turn: Turn | None) -> bool:
    return turn is not None and bool(turn.text.strip())


def edit_share(before: str, after: str, tag: str) -> float:
    """How much of two texts is not common to both: 0 nothing, 1 everything.

    By words, by characters in languages without spaces; of each text the first thousands.
    """
    by_characters = language(tag).chars_per_word > 0
    a, b = (list(one) if by_characters else one.split() for one in (_plain(before), _plain(after)))
    a, b = a[:_COMPARED], b[:_COMPARED]
    return round(1 - difflib.SequenceMatcher(None, a, b, autojunk=False).ratio(), 3)


def _judged(fault: Fault, outcome: Outcome[Written], rewriter: Rewriter) -> Rewritten:
    """What an answer makes of a fault."""
    written = outcome.value
    if written is None:
        reason = _NO_ANSWER.get(outcome.failure, NoRewrite.UNPARSABLE)
        return Rewritten(fault, "failed", reason, "; ".join(outcome.notes) or None, tries=(outcome,))
    original = "" if fault.reply is None else fault.reply.text
    share = edit_share(original, written.improved_response, _tag(fault, rewriter)) if original else None
    result = Rewritten(fault, "rewritten", written=written, edit_share=share, tries=(outcome,))
    if not _plain(written.improved_response):
        return replace(result, status="rejected", reason=NoRewrite.EMPTY, edit_share=None)
    same = _plain(original) == _plain(written.improved_response)
    if same or written.improvement == 0:
        if fault.reply_may_stay and original:
            return replace(result, status="adequate", detail="the rewriter found the logged reply as good")
        reason = NoRewrite.SAME_AS_ORIGINAL if same else NoRewrite.NO_IMPROVEMENT
        return replace(result, status="rejected", reason=reason)
    if broken := _broken(result, rewriter):
        detail = "; ".join(f"{rule.name}: {what}" for rule, what in broken)
        return replace(result, status="rejected", reason=NoRewrite.UNSPEAKABLE, detail=detail)
    return result


def _broken(result: Rewritten, rewriter: Rewriter) -> list[tuple[Rule, str]]:
    limits = Limits(rewriter.config.max_words, rewriter.config.max_sentences)
    reply = "" if result.written is None else result.written.improved_response
    return problems(reply, _tag(result.fault, rewriter), limits)


def _tag(fault: Fault, rewriter: Rewriter) -> str:
    return rewriter.language_of(fault.dialogue)


def _plain(text: str) -> str:
    """The words of a text: letter case, punctuation and spacing aside."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(c if unicodedata.category(c)[0] in "LMN" else "" if c in "'’" else " " for c in folded)
    return " ".join(kept.split())
