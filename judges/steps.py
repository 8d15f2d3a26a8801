"""The steps of this room, for the chain."""

from __future__ import annotations

from judges.flag import Flag
from judges.judge import NO_JUDGE, Judge
from judges.rewrite import NO_REWRITER, Rewrite
from judges.settings import JudgeSettings
from store.chain import Site, Step


def _judge(settings: JudgeSettings, site: Site) -> Judge:
    return Judge(settings.judge, settings.clients, store=site.store, sources=site.roots)


def _flag(settings: JudgeSettings, site: Site) -> Flag:
    del site
    return Flag(settings.flag)


def _rewrite(settings: JudgeSettings, site: Site) -> Rewrite:
    return Rewrite(settings.rewrite, settings.clients, store=site.store)


def _without_rewriter(settings: JudgeSettings) -> str | None:
    return NO_REWRITER if settings.rewrite.client == "none" else None


def _without_judge(settings: JudgeSettings) -> str | None:
    return NO_JUDGE if settings.judge.client == "none" else None


STEPS = (
    Step(Judge, _judge, left_out=_without_judge),
    Step(Flag, _flag),
    Step(Rewrite, _rewrite, left_out=_without_rewriter),
)
