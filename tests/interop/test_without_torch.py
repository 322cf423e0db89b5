"""The doors to PyTorch where there is no PyTorch."""

from __future__ import annotations

import sys

import pytest

from funcnn import MissingExtraError
from funcnn.interop import from_torch, params_of


@pytest.mark.parametrize("function", [from_torch, params_of])
def test_the_extra_is_named(function, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'funcnn\[torch\]'"):
        function(None)
