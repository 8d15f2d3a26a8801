"""What each kind of source lists, in which order, and what it says of bad entries, without opening any audio."""

from __future__ import annotations

import json
import os
import pickle
import time
from pathlib import Path
from typing import Any

import fsspec
import pytest

from miner.ingest.detect import detect_source, open_source
from miner.ingest.refs import REFS, LogRef, SourceError, refs_frame
from schemas.reasons import Reason

NOT_AUDIO = b"never opened by a source"


def put(root: Path, *names: str, content: bytes = NOT_AUDIO) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def listed(path: Path | str, **options: Any) -> list[LogRef]:
    return list(open_source(str(path), **options).refs())


def manifest(root: Path, *lines: object) -> Path:
    path = root / "manifest.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n")
    return path


def line(name: str = "a", **keys: Any) -> dict[str, Any]:
    return {"id": name, "path": f"{name}.wav", "model_channel": 0, "user_channel": 1} | keys


def problems(refs: list[LogRef]) -> dict[str, Reason]:
    return {ref.dialogue_id: ref.problem[0] for ref in refs if ref.problem}


# --- folder


def test_folder_lists_audio_below_it_and_counts_the_rest(tmp_path: Path) -> None:
    put(tmp_path, "b/two.FLAC", "b/deep/er/three.m4a", "one.wav", "notes.txt", ".hidden.wav", ".git/x.wav", "b/wav")
    source = open_source(str(tmp_path), kind="folder", model_channel="right")

    refs = list(source.refs())

    assert [ref.dialogue_id for ref in refs] == ["one", "b/two", "b/deep/er/three"]
    assert {(ref.model_channel, ref.user_channel) for ref in refs} == {(1, 0)}
    assert source.skipped == {"not audio": 2, "hidden": 2}


def test_folder_will_not_guess_the_channel(tmp_path: Path) -> None:
    put(tmp_path, "one.wav")
    with pytest.raises(SourceError, match="--model-channel left or --model-channel right"):
        open_source(str(tmp_path))


def test_two_files_of_one_name_are_a_duplicate_and_both_stay_visible(tmp_path: Path) -> None:
    put(tmp_path, "x/a.wav", "x/a.flac", "y/a.wav", "x/a.mp3")

    refs = listed(tmp_path, kind="folder", model_channel="left")

    assert [ref.model_path for ref in refs if not ref.problem] == ["x/a.flac", "y/a.wav"]
    assert sorted(problems(refs).values()) == [Reason.DUPLICATE_ID] * 2
    assert len({ref.dialogue_id for ref in refs}) == 4
    assert all(name.startswith("x/a~") for name in problems(refs))


def test_ids_do_not_depend_on_where_the_folder_lies(tmp_path: Path) -> None:
    put(tmp_path / "here", "a/b.wav")
    put(tmp_path / "there/deeper", "a/b.wav")
    for path in (tmp_path / "here/a/b.wav", tmp_path / "there/deeper/a/b.wav"):
        os.utime(path, ns=(10**18, 10**18))

    here, there = (listed(tmp_path / root, kind="folder", model_channel="left") for root in ("here", "there/deeper"))

    assert here == there


def test_fingerprint_follows_the_file_and_the_channels(tmp_path: Path) -> None:
    put(tmp_path, "a.wav")

    def fingerprint(side: str = "left") -> str:
        return listed(tmp_path, kind="folder", model_channel=side)[0].fingerprint

    first = fingerprint()
    assert fingerprint() == first
    assert fingerprint("right") != first
    os.utime(tmp_path / "a.wav", ns=(10**18, 10**18))
    touched = fingerprint()
    assert touched != first
    put(tmp_path, "a.wav", content=b"longer than it was before")
    os.utime(tmp_path / "a.wav", ns=(10**18, 10**18))
    assert fingerprint() not in (first, touched)


def test_remote_folders_are_listed_as_local_ones(tmp_path: Path) -> None:
    names = ["b.wav", "a/z.wav", "a/b/c.flac", "a.b/x.wav", "a/.h/x.wav", "B/y.ogg", "notes.txt"]
    put(tmp_path, *names)
    for name in names:
        with fsspec.open(f"memory://sources/folder/{name}", "wb") as file:
            file.write(NOT_AUDIO)

    local = listed(tmp_path, kind="folder", model_channel="left")
    remote = listed("memory://sources/folder", kind="folder", model_channel="left")

    assert [ref.model_path for ref in remote] == [ref.model_path for ref in local]
    assert len(remote) == 5
    assert listed("memory://sources/folder", kind="folder", model_channel="left") == remote


def test_ten_thousand_files_are_listed_in_well_under_a_second(tmp_path: Path) -> None:
    for folder in range(10):
        put(tmp_path, *(f"{folder}/{i}.wav" for i in range(1000)), content=b"")

    started = time.process_time()
    refs = listed(tmp_path, kind="folder", model_channel="left")

    assert len(refs) == 10_000
    assert time.process_time() - started < 0.5


# --- manifest


def test_manifest_line_carries_everything_it_says(tmp_path: Path) -> None:
    put(tmp_path, "logs/a.wav", "logs/a.json", "m.wav", "u.wav")
    known = {"model_id": "moshi", "model_checkpoint": "c1", "voice": "v", "language": "en", "persona": "p"}
    path = manifest(
        tmp_path,
        line("a", path="logs/a.wav", words="logs/a.json", duration=3.5, user_id=17, started_at="2026-01-01", **known),
        "",
        {"id": "two", "model_path": "m.wav", "user_path": "./u.wav", "site": "b", "n": 3},
        line("c", path="logs/a.wav", model_channel="right", user_channel="left"),
    )

    one, two, three = listed(path)

    assert one.words_path == "logs/a.json"
    assert {key: getattr(one, key) for key in known} == known
    assert (one.user_id, one.started_at, one.metadata) == ("17", "2026-01-01", None)
    assert (two.model_path, two.model_channel, two.user_path, two.user_channel) == ("m.wav", 0, "u.wav", 0)
    assert json.loads(two.metadata or "") == {"site": "b", "n": 3}
    assert (three.model_channel, three.user_channel) == (1, 0)
    assert [ref.channels_named for ref in (one, two, three)] == [True, True, False]


@pytest.mark.parametrize(
    "bad",
    [
        "{not json",
        "[1, 2]",
        '"text"',
        {"path": "a.wav", "model_channel": 0, "user_channel": 1},
        {"id": "a"},
        {"id": "a", "path": "a.wav"},
        {"id": "", "path": "a.wav", "model_channel": 0, "user_channel": 1},
        line(path=17),
        line(model_channel=-1),
        line(model_channel="middle"),
        line(model_channel=True),
        line(model_channel=0.5),
        line(user_channel=0),
        line(duration="soon"),
        line(model_path="a.wav"),
        {"id": "a", "model_path": "a.wav"},
        '{"id": "a", "path": "a.wav", "model_channel": 0, "user_channel": 1',
    ],
)
def test_a_bad_line_is_named_and_stops_nothing(tmp_path: Path, bad: object) -> None:
    put(tmp_path, "a.wav", "b.wav")

    refs = listed(manifest(tmp_path, "", line("b"), bad, line("a")), kind="manifest")

    assert [ref.dialogue_id for ref in refs] == ["b", "line-3", "a"]
    assert problems(refs) == {"line-3": Reason.BAD_MANIFEST_LINE}
    assert refs[1].problem is not None
    assert refs[1].problem[1].startswith("line 3: ")


def test_bytes_that_are_no_text_are_a_bad_line(tmp_path: Path) -> None:
    put(tmp_path, "a.wav")
    path = tmp_path / "m.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(line("a")).encode() + b'\r\n{"id": "\xff\xfe"}\r\n')

    refs = listed(path)

    assert [ref.dialogue_id for ref in refs] == ["a", "line-2"]
    assert problems(refs) == {"line-2": Reason.BAD_MANIFEST_LINE}


def test_paths_may_not_leave_the_manifests_folder(tmp_path: Path) -> None:
    root = tmp_path / "root"
    put(tmp_path, "secret.wav", "outside/x.wav", "root2/x.wav")
    put(root, "in/ok.wav")
    (root / "link.wav").symlink_to(tmp_path / "secret.wav")
    (root / "folder").symlink_to(tmp_path / "outside")
    (root / "inner.wav").symlink_to(root / "in/ok.wav")
    path = manifest(
        root,
        line("absolute", path=str(root / "in/ok.wav")),
        line("dots", path="../secret.wav"),
        line("sibling", path="../root2/x.wav"),
        line("winding", path="in/../../secret.wav"),
        line("link", path="link.wav"),
        line("through", path="folder/x.wav"),
        line("url", path="memory://x.wav"),
        line("words", path="in/ok.wav", words="../secret.wav"),
        line("inside", path="in/../in/ok.wav"),
        line("inner", path="inner.wav"),
        line("gone", path="in/gone.wav"),
        line("dir", path="in"),
    )

    found = problems(listed(path))

    escapes = ("absolute", "dots", "sibling", "winding", "link", "through", "url", "words")
    assert problems(listed(f"file://{path}")) == found
    assert found == dict.fromkeys(escapes, Reason.PATH_ESCAPES) | dict.fromkeys(("gone", "dir"), Reason.AUDIO_MISSING)


def test_the_later_of_two_lines_with_one_id_is_the_duplicate(tmp_path: Path) -> None:
    put(tmp_path, "a.wav", "b.wav")

    refs = listed(manifest(tmp_path, line("a"), line("a", path="b.wav"), line("a"), line("a"), line("b")))

    assert [ref.dialogue_id for ref in refs if not ref.problem] == ["a", "b"]
    assert set(problems(refs).values()) == {Reason.DUPLICATE_ID}
    assert len({ref.dialogue_id for ref in refs}) == 5


def test_remote_manifest(tmp_path: Path) -> None:
    base = "memory://sources/manifest"
    lines = [line("a", path="logs/a.wav"), line("b", path="logs/b.wav"), line("c", path="../x.wav")]
    for name, content in (("m.jsonl", "\n".join(map(json.dumps, lines)).encode()), ("logs/a.wav", NOT_AUDIO)):
        with fsspec.open(f"{base}/{name}", "wb") as file:
            file.write(content)

    refs = listed(f"{base}/m.jsonl")

    assert refs[0].problem is None
    assert problems(refs) == {"b": Reason.AUDIO_MISSING, "c": Reason.PATH_ESCAPES}


def test_a_manifest_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.jsonl cannot be read"):
        listed(tmp_path / "none.jsonl")


def test_a_text_stream_is_found_as_words_are(tmp_path: Path) -> None:
    root = tmp_path / "root"
    put(tmp_path, "secret.npy")
    put(root, "a.wav", "a.npy")
    lines = [line("a", tokens="./a.npy"), line("b", path="a.wav"), line("c", path="a.wav", tokens="gone.npy")]
    path = manifest(root, *lines, line("d", path="a.wav", tokens="../secret.npy"))

    refs = listed(path)
    put(root, "a.npy", content=b"longer than it was before")
    again = listed(path)

    assert [ref.tokens_path for ref in refs] == ["a.npy", None, "gone.npy", "../secret.npy"]
    assert problems(refs) == {"d": Reason.PATH_ESCAPES}
    assert [a.fingerprint != b.fingerprint for a, b in zip(refs, again, strict=True)] == [True, False, False, False]


@pytest.mark.parametrize("kind", ["folder", "moshi_finetune", "index"])
def test_a_text_stream_beside_the_audio_is_taken_in(tmp_path: Path, kind: str) -> None:
    put(tmp_path, "x/a.wav", "x/a.tokens.json", "x/b.wav", "x/b.codes.npy", "x/b.tokens.json", "x/c.wav", "x/d.wav")
    put(tmp_path, "x/d.codes.npy", "x/e.txt")
    index = tmp_path / "index.jsonl"
    path: Path | str = tmp_path
    if kind == "index":
        index.write_text("\n".join(json.dumps({"path": f"x/{name}.wav", "duration": 1}) for name in "abcd"))
        path, kind = index, "moshi_finetune"
    source = open_source(str(path), kind=kind, model_channel="left")

    refs = list(source.refs())

    streams = {ref.dialogue_id: ref.tokens_path for ref in refs}
    assert streams == {"x/a": "x/a.tokens.json", "x/b": "x/b.tokens.json", "x/c": None, "x/d": "x/d.codes.npy"}
    assert source.skipped == ({} if path == index else {"not audio": 1})
    assert not problems(refs)
    put(tmp_path, "x/d.codes.npy", content=b"longer than it was before")
    again = open_source(str(path), kind=kind, model_channel="left").refs()
    assert [ref.dialogue_id for ref, old in zip(again, refs, strict=True) if ref != old] == ["x/d"]


# --- moshi-finetune and Full-Duplex-Bench


def test_moshi_finetune_folder_and_index_list_the_same_logs(tmp_path: Path) -> None:
    put(tmp_path, "data/a.wav", "data/b.wav")
    put(tmp_path, "data/a.json", content=b'{"alignments": []}')
    index = tmp_path / "index.jsonl"
    index.write_text('{"path": "data/a.wav", "duration": 1.0}\n{"path": "data/b.wav", "duration": 2.0}\n')

    from_index, from_folder = listed(index), listed(tmp_path)

    assert from_index == from_folder
    assert [(ref.dialogue_id, ref.words_path) for ref in from_index] == [("data/a", "data/a.json"), ("data/b", None)]
    assert {(ref.model_channel, ref.user_channel, ref.source_kind) for ref in from_index} == {(0, 1, "moshi_finetune")}


def test_moshi_finetune_index_survives_bad_lines(tmp_path: Path) -> None:
    put(tmp_path, "a.wav")
    index = tmp_path / "index.jsonl"
    index.write_text('{"path": "a.wav", "duration": 1}\n{"duration": 1}\n{"path": "../x.wav"}\n{"path": "gone.wav"}\n')

    assert problems(listed(index)) == {
        "line-2": Reason.BAD_MANIFEST_LINE,
        "../x": Reason.PATH_ESCAPES,
        "gone": Reason.AUDIO_MISSING,
    }


def test_full_duplex_bench_layout(tmp_path: Path) -> None:
    put(tmp_path, "t/1/input.wav", "t/1/output.wav", "t/1/output.json", "t/2/input.wav", "t/2/output.wav")
    put(tmp_path, "t/3/input.wav", "t/1/transcription.json", "readme.md")
    source = open_source(str(tmp_path))

    refs = list(source.refs())

    assert source.kind == "full_duplex_bench"
    assert [(ref.dialogue_id, ref.words_path) for ref in refs] == [
        ("t/1", "t/1/output.json"),
        ("t/2", None),
        ("t/3", None),
    ]
    assert (refs[0].model_path, refs[0].user_path) == ("t/1/output.wav", "t/1/input.wav")
    assert problems(refs) == {"t/3": Reason.AUDIO_MISSING}
    assert source.skipped == {"not part of a log": 2}


def test_one_full_duplex_bench_log_alone_is_named_after_its_source(tmp_path: Path) -> None:
    put(tmp_path, "input.wav", "output.wav")

    refs = listed(tmp_path, source_id="sample-7")

    assert [(ref.dialogue_id, ref.model_path, ref.user_path) for ref in refs] == [
        ("sample-7", "output.wav", "input.wav")
    ]


# --- all of them


def test_detection(tmp_path: Path) -> None:
    put(tmp_path / "plain", "x/a.wav", "x/a.json", "x/b.wav")
    put(tmp_path / "aligned", "x/a.wav", "x/readme.txt")
    put(tmp_path / "aligned", "x/a.json", content=b'{"alignments": [["a", [0.0, 0.1], "SPEAKER_MAIN"]]}')
    put(tmp_path / "bench", "task/7/input.wav", "task/7/output.wav")
    (tmp_path / "index.jsonl").write_text('\n{"path": "a.wav", "duration": 3}\n')
    (tmp_path / "m.jsonl").write_text(json.dumps(line("a")))

    kinds = {
        name: detect_source(str(tmp_path / name)) for name in ("plain", "aligned", "bench", "index.jsonl", "m.jsonl")
    }

    assert kinds == {
        "plain": "folder",
        "aligned": "moshi_finetune",
        "bench": "full_duplex_bench",
        "index.jsonl": "moshi_finetune",
        "m.jsonl": "manifest",
    }
    assert open_source(str(tmp_path / "bench"), kind="folder", model_channel="left").kind == "folder"


def test_what_cannot_be_listed_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="not a folder"):
        open_source(str(tmp_path / "absent"))
    with pytest.raises(SourceError, match="Kinds: folder, manifest, moshi_finetune, full_duplex_bench"):
        open_source(str(tmp_path), kind="tape")


def test_refs_fill_their_table_and_travel_to_workers(tmp_path: Path) -> None:
    put(tmp_path, "a.wav", "b.wav")
    refs = listed(manifest(tmp_path, line("a"), "{", line("b")))

    frame = REFS.conform(refs_frame(refs))

    assert frame.height == 3
    assert frame.filter(dialogue_id="line-2")["problem_reason"].item() == "bad_manifest_line"
    assert REFS.conform(refs_frame([])).is_empty()
    assert pickle.loads(pickle.dumps(refs)) == refs
