"""What looks at a run between its segments, a file each."""

from funcnn.runs.observers.bar import Bar
from funcnn.runs.observers.callbacks import Callback, Callbacks, Event
from funcnn.runs.observers.evaluations import EarlyStopping, Evaluations
from funcnn.runs.observers.interrupts import Interrupts
from funcnn.runs.observers.log import Log
from funcnn.runs.observers.losses import Losses
from funcnn.runs.observers.observer import Observer, Segment

__all__ = [
    "Bar",
    "Callback",
    "Callbacks",
    "EarlyStopping",
    "Evaluations",
    "Event",
    "Interrupts",
    "Log",
    "Losses",
    "Observer",
    "Segment",
]
