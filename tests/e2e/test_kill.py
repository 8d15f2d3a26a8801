"""A run killed at any instant, followed by the same command, ends in the same tables."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.command import ROOT, SAMPLES, command, tables

KILLS = 20


@pytest.mark.slow
def test_kill_9_at_random_instants_and_the_same_command_again(tmp_path: Path) -> None:
    def start(store: Path) -> subprocess.Popen[bytes]:
        arguments = command("run", str(SAMPLES), "--store", str(store), "--workers", "2", "--asr", "given")
        return subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    began = time.monotonic()
    assert start(tmp_path / "whole").wait() == 0
    length = time.monotonic() - began
    whole = tables(tmp_path / "whole")
    assert whole["pairs"].height > 0

    draw = random.Random(7)
    outcomes = []
    for number in range(KILLS):
        store = tmp_path / f"killed-{number}"
        process = start(store)
        try:
            process.wait(timeout=draw.uniform(0.1, 1.0) * length)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        outcomes.append(process.wait())
        assert start(store).wait() == 0
        again = tables(store)
        for name, frame in whole.items():
            assert frame.equals(again[name]), f"kill {number}: {name} differs"
    assert outcomes.count(-signal.SIGKILL) >= KILLS // 2
