import builtins
import sys
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from audio.backends import MissingBackendError
from audio.vad import Vad, open_vad

from .conftest import Excerpt


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(
        name: str,
        globals_: Mapping[str, object] | None = None,
        locals_: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> object:
        if name == "webrtcvad":
            raise ModuleNotFoundError("No module named 'webrtcvad'")
        return real(name, globals_, locals_, fromlist or (), level)

    monkeypatch.delitem(sys.modules, "audio.vad.webrtc", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingBackendError, match="pip install webrtcvad-wheels"):
        open_vad("webrtc")


def test_silero_looks_only_where_asked_and_finds_the_same_there(clean: Excerpt, silero: Vad) -> None:
    n = len(clean.user) // 160
    everywhere = silero.probabilities(clean.user, np.ones(n, bool))
    asked = np.zeros(n, bool)
    asked[900:1100] = True
    some = silero.probabilities(clean.user, asked)
    assert not some[:860].any()
    assert not some[1120:].any()
    assert np.abs(some[990:1045] - everywhere[990:1045]).max() < 0.2
    assert everywhere[960:1040].mean() > 0.8
    assert everywhere[500:900].max() < 0.2
