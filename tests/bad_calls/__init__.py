"""The table of calls that cannot work: name -> (call, exception, words of its message)."""

from bad_calls.data import DATA
from bad_calls.environment import ENVIRONMENT
from bad_calls.estimators import ESTIMATORS
from bad_calls.loops import LOOPS
from bad_calls.losses import LOSSES
from bad_calls.models import MODELS
from bad_calls.modules import MODULES
from bad_calls.optimizers import OPTIMIZERS
from bad_calls.params import PARAMS
from bad_calls.ports import PORTS
from bad_calls.results import RESULTS
from bad_calls.sweeps import SWEEPS
from bad_calls.watching import WATCHING

GROUPS = (
    *(DATA, ENVIRONMENT, ESTIMATORS, LOOPS, LOSSES, MODELS, MODULES),
    *(OPTIMIZERS, PARAMS, PORTS, RESULTS, SWEEPS, WATCHING),
)
TABLE = {name: row for group in GROUPS for name, row in group.items()}
