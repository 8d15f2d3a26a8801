"""A store on S3: the same tables as on a disk, from several processes, against a real S3 server on this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.command import SAMPLES, run, tables

SERVER = """
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
input()
"""


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of an empty bucket; the environment leads every process to its server."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        import s3fs

        s3fs.S3FileSystem().mkdir("logs-store")
        yield "s3://logs-store/mined"
        server.terminate()


@pytest.mark.slow
def test_a_store_on_s3_holds_the_same_tables_and_answers_sql(unheard: Path, s3: str) -> None:
    done = run("run", str(SAMPLES), "--store", s3, "--workers", "2", "--set", "execution.buckets=4", "--asr", "given")
    assert done.returncode == 0, done.stdout + done.stderr
    expected = tables(unheard)
    assert all(frame.equals(expected[name]) for name, frame in tables(s3).items())
    counted = run("sql", "SELECT count(*) AS n FROM issues", "--store", s3, "--format", "csv")
    assert counted.stdout.split() == ["n", "12"], counted.stderr
    assert "forgot 'cut-in'" in run("forget", "cut-in", "--store", s3).stdout
    again = run("run", str(SAMPLES), "--store", s3, "--asr", "given")
    told = [line for line in again.stderr.splitlines() if " computed, " in line]
    assert len(told) > 5
    assert all(" 0 computed, 12 up to date" in line for line in told), again.stderr
