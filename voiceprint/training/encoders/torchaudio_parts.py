"""The only module that imports torchaudio, and why it does so carefully.

The Linux wheels of torchaudio on PyPI are CUDA builds. Beside a CPU build of torch their compiled extension
cannot be loaded, and ``import torchaudio`` raises OSError. What voiceprint uses (mel filters, the cosine
transform, the MFCC transform that its own front end is tested against) is written in plain torch and needs no
extension, so where the plain import fails torchaudio is imported once more with an extension module that says
"not available".
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any


def _import_without_extension() -> ModuleType:
    def unavailable(function: Any) -> Any:
        return function

    for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
        del sys.modules[name]
    extension: Any = ModuleType("torchaudio._extension")
    extension._IS_TORCHAUDIO_EXT_AVAILABLE = False
    extension._IS_ALIGN_AVAILABLE = False
    extension.fail_if_no_align = unavailable
    sys.modules["torchaudio._extension"] = extension
    return importlib.import_module("torchaudio")


try:
    importlib.import_module("torchaudio")
except OSError:
    _import_without_extension()

_functional = importlib.import_module("torchaudio.functional")
_transforms = importlib.import_module("torchaudio.transforms")

melscale_fbanks = _functional.melscale_fbanks
linear_fbanks = _functional.linear_fbanks
create_dct = _functional.create_dct
MFCC = _transforms.MFCC
