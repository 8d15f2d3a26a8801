"""Floor transfer offsets of dialogues by scikit-talk, timed; runs in an environment of its own (``peer_timing.py``).

    python peer_scikit_talk.py DIALOGUES.json

DIALOGUES.json: a list of dialogues, each a list of [participant, start_ms, end_ms, text] by start. Prints one JSON
object: seconds taken (building its objects and computing, not reading), and the median FTO in ms.
"""

import json
import statistics
import sys
import time
from pathlib import Path

from sktalk.corpus.conversation import Conversation
from sktalk.corpus.utterance import Utterance


def main() -> None:
    """Time ``Conversation.calculate_FTO`` over all dialogues."""
    dialogues = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    offsets = []
    begun = time.perf_counter()
    for rows in dialogues:
        talk = Conversation(
            [Utterance(utterance=text, participant=side, time=[start, end]) for side, start, end, text in rows],
            suppress_warnings=True,
        )
        talk.calculate_FTO()
        offsets += [one.FTO for one in talk.utterances if one.FTO is not None]
    seconds = time.perf_counter() - begun
    print(json.dumps({"seconds": seconds, "median_fto_ms": statistics.median(offsets), "n": len(offsets)}))


if __name__ == "__main__":
    main()
