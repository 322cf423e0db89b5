"""The states of a run on disk: written whole or not at all, and read only where they are sound."""

from funcnn.checkpoints.folder import Checkpoint, CheckpointFolder, CheckpointWarning
from funcnn.checkpoints.manifest import INFORMATIVE

__all__ = ["INFORMATIVE", "Checkpoint", "CheckpointFolder", "CheckpointWarning"]
