"""The steps of this room, for the chain."""

from __future__ import annotations

from judges.flag import Flag
from judges.judge import NO_JUDGE, Judge
from judges.settings import JudgeSettings
from store.chain import Site, Step


def _judge(settings: JudgeSettings, site: Site) -> Judge:
    return Judge(settings.judge, settings.clients, store=site.store)


def _flag(settings: JudgeSettings, site: Site) -> Flag:
    del site
    return Flag(settings.flag)


def _without_judge(settings: JudgeSettings) -> str | None:
    return NO_JUDGE if settings.judge.client == "none" else None


STEPS = (Step(Judge, _judge, left_out=_without_judge), Step(Flag, _flag))
