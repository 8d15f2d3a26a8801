"""Let torchaudio import beside a PyTorch without CUDA.

pyannote.audio imports torchaudio, whose wheel on PyPI links CUDA's libraries and so does not load where pip found a
PyTorch for the processor alone. Nothing of what is linked is used here: without those files torchaudio runs on PyTorch.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

IMPORTS = (sys.executable, "-c", "import torchaudio")


def main() -> int:
    """Remove the libraries if, and only if, torchaudio does not import with them."""
    if subprocess.run(IMPORTS, capture_output=True, check=False).returncode == 0:
        return 0
    spec = importlib.util.find_spec("torchaudio")
    for folder in spec.submodule_search_locations or [] if spec else []:
        for library in Path(folder, "lib").glob("*.so"):
            library.unlink()
    return subprocess.run(IMPORTS, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
