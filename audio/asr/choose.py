"""Which recogniser a run uses: what was asked for, or the best whose package and weights are really here.

It looks at files and package metadata only and loads nothing, so that it can be asked before every run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

import xxhash

from audio.asr import NEEDS, RecogniserName
from audio.backends import MissingBackendError, ModelMissingError

AsrName = Literal["auto", "faster-whisper", "openai-whisper", "pocketsphinx", "given"]

DEFAULT_WHISPER: Final = "small"
_MIB: Final = 2**20
_SAMPLE: Final = 2**16

_OTHER_REPOSITORIES: Final = {
    "large": "Systran/faster-whisper-large-v3",
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "distil-large-v3.5": "distil-whisper/distil-large-v3.5-ct2",
}
"""Names of faster-whisper's that are not Systran/faster-whisper-NAME or its distilled sister."""
_OPENAI_FILES: Final = {"large": "large-v3", "turbo": "large-v3-turbo"}


@dataclass(frozen=True)
class Choice:
    """A recogniser, and all about it that can change a word.

    ``model`` is a name or a local path, to load it by. ``identity`` names the same weights wherever they lie: a
    revision of the model hub, a hash of the content, or the package's own.
    """

    name: RecogniserName | Literal["given"]
    why: str
    model: str | None = None
    identity: str | None = None
    package_version: str | None = None

    @property
    def label(self) -> str:
        """Who heard a word, for people: ``faster-whisper:small``."""
        model = Path(self.model).name if self.model else None
        return f"{self.name}:{model}" if model else self.name

    @property
    def told(self) -> str:
        """One line about the choice."""
        about = ", ".join(part for part in (self.package_version, self.identity) if part)
        return f"words by {self.label}{f' ({about})' if about else ''}: {self.why}"


def choose(asked: AsrName, model: str | None = None, *, download: bool = False) -> Choice:
    """The recogniser to use. ``download``: weights that are not here count as being here.

    Raises MissingBackendError or ModelMissingError where the one that was asked for cannot be had; `auto` always can.
    """
    if asked == "given":
        return Choice("given", "asked for: only words that came with the logs")
    if asked != "auto":
        return _LOOK[asked](model, download, "asked for")
    passed_over: list[str] = []
    for name, look in _LOOK.items():
        if name == "pocketsphinx" and model is not None:
            raise ModelMissingError(f"no Whisper backend can load the model '{model}': {'; '.join(passed_over)}")
        why = "auto: " + ("; ".join(passed_over) or "the best there is")
        try:
            # `auto` downloads nothing: what a run hears with must not depend on whether the network was up
            return look(model, False, why)
        except (MissingBackendError, ModelMissingError) as error:
            passed_over.append(str(error).split("; ", maxsplit=1)[0])
    return Choice("given", "auto: " + "; ".join(passed_over))


def _faster_whisper(model: str | None, download: bool, why: str) -> Choice:
    package = _package("faster-whisper", "faster_whisper")
    if model is not None and Path(model).is_dir():
        weights = Path(model) / "model.bin"
        if not weights.is_file():
            raise ModelMissingError(f"{model} is no CTranslate2 model: it has no model.bin")
        return Choice("faster-whisper", why, str(Path(model).resolve()), content_identity(weights), package)
    name = model or DEFAULT_WHISPER
    revision = _hub_revision(_repository(name), "model.bin")
    if revision is None and not download:
        raise ModelMissingError(
            f"faster-whisper has no weights '{name}' on this machine; fetch them with "
            "--asr faster-whisper --set execution.asr.download=true, or give a folder as transcribe.model"
        )
    return Choice("faster-whisper", why, name, f"{name}@{revision or 'newest'}", package)


def _openai_whisper(model: str | None, download: bool, why: str) -> Choice:
    package = _package("openai-whisper", "whisper")
    name = model or DEFAULT_WHISPER
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "whisper"
    local = model is not None and Path(model).is_file()
    weights = Path(name) if local else cache / f"{_OPENAI_FILES.get(name, name)}.pt"
    if not weights.is_file() and not download:
        raise ModelMissingError(
            f"openai-whisper has no weights '{name}' on this machine; fetch them with "
            f"--asr openai-whisper --set execution.asr.download=true, or give a .pt file as transcribe.model"
        )
    if local:
        return Choice("openai-whisper", why, str(weights.resolve()), content_identity(weights), package)
    # a name stands for one file, whose hash OpenAI's package checks
    return Choice("openai-whisper", why, name, name, package)


def _pocketsphinx(model: str | None, download: bool, why: str) -> Choice:
    if model is not None:
        raise ModelMissingError(f"pocketsphinx reads with its own model only; take away transcribe.model = '{model}'")
    return Choice("pocketsphinx", why, None, "en-us", _package("pocketsphinx", "pocketsphinx"))


_LOOK: Final[Mapping[RecogniserName, Callable[[str | None, bool, str], Choice]]] = {
    "faster-whisper": _faster_whisper,
    "openai-whisper": _openai_whisper,
    "pocketsphinx": _pocketsphinx,
}
"""From best to last."""


def content_identity(path: Path) -> str:
    """Hash of a file's length and of 64 KiB in each MiB: any tensor of a MiB that differs shows, at little cost."""
    size = path.stat().st_size
    digest = xxhash.xxh3_64(str(size).encode())
    with path.open("rb") as file:
        for start in range(0, size, _MIB):
            file.seek(start)
            digest.update(file.read(_SAMPLE))
    return f"xxh3:{digest.hexdigest()}"


def _package(name: RecogniserName, module: str) -> str:
    if find_spec(module) is None:
        raise MissingBackendError(f"{name} is not installed; run: pip install {NEEDS[name]}")
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def _repository(name: str) -> str:
    if "/" in name:
        return name
    if name.startswith("distil-"):
        return _OTHER_REPOSITORIES.get(name, f"Systran/faster-distil-whisper-{name.removeprefix('distil-')}")
    return _OTHER_REPOSITORIES.get(name, f"Systran/faster-whisper-{name}")


def _hub_revision(repository: str, file: str) -> str | None:
    """The revision of a model hub's repository that this machine's cache holds, None where it lacks the file."""
    home = Path(
        os.environ.get("HF_HOME", Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "huggingface")
    )
    folder = Path(os.environ.get("HF_HUB_CACHE", home / "hub")) / f"models--{repository.replace('/', '--')}"
    try:
        revision = (folder / "refs" / "main").read_text().strip()
    except OSError:
        return None
    return revision if (folder / "snapshots" / revision / file).is_file() else None
