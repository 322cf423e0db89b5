"""Mistakes that ports commonly make: each says how to replay it, and what to change."""

from funcnn.interop.torch.comparing.mistakes.mistake import Mistake, replays

__all__ = ["Mistake", "replays"]
