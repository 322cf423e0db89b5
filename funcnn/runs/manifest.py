"""What a run is, in JSON's words: a checkpoint of another run is told from one's own by it."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import inspect
import sys
import types
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from funcnn.checkpoints.manifest import CODE
from funcnn.core import Samples
from funcnn.core.functions import closure_of, globals_of
from funcnn.core.keys import initial_key
from funcnn.core.precision import numerics
from funcnn.data.mapped import Mapped
from funcnn.loop.placement import Placement
from funcnn.loop.whole import WholeStep
from funcnn.optimizers.optimizer import Recipe
from funcnn.runs.plan import Plan
from funcnn.runs.shapes import step_digest, structs
from funcnn.runs.written import digest_of, without_addresses

__all__ = ["described", "digest", "manifest_of", "of_samples"]

LIBRARIES = frozenset(
    ["builtins", "equinox", "flax", "funcnn", "haiku", "jax", "numpy", "optax", "torch"]
)
"""Whose functions are known by their names: another version may write them in another way."""

_PYTHON = ".".join(map(str, sys.version_info[:2]))


def manifest_of(plan: Plan, monitored: Mapping[str, Any]) -> dict[str, Any]:
    """What a run is.

    Args:
        plan: the run.
        monitored: what its end depends on beside the plan.
    """
    problem = plan.problem
    # The numbers of a state that the run starts from are in its digest.
    own = plan.numbers if plan.state is None else plan.named & plan.numbers.keys()
    return {
        "versions": _versions(),
        "model": plan.recipe or described(plan.model.apply),
        "loss": described(plan.loss),
        "optimizer": _optimizer(problem.optimizer),
        "numbers": {name: described(plan.numbers[name]) for name in sorted(own)},
        "gradient": problem.gradient,
        "form": plan.form.name,
        "batches": described(problem.batches),
        "clip": described(problem.clip),
        "rows": digest(plan.rows),
        "devices": _devices(problem.placement),
        "schedule": digest(plan.schedule),
        "dtype": plan.dtype,
        "seed": plan.seed,
        "steps": plan.steps,
        "start": digest(plan.params if plan.state is None else plan.state),
        "monitored": described(monitored),
        "data": of_samples(plan.data, plan.validation),
        "init": _init(plan),
        "step": _code(step_digest(problem, plan.form, plan.shapes, structs(plan.data), plan.dtype)),
    }


def described(value: Any, inside: tuple[int, ...] = ()) -> Any:
    """A value in JSON's words, the same in every process that makes it in the same way.

    A function is its name, and the values that it was given where it was made (those of a
    ``functools.partial``, of a closure, and its defaults): so an optax optimizer tells its
    learning rate. Of a user's own function it is the code too, and what that reads of its module:
    functions, numbers and texts.

    Args:
        value: anything.
        inside: the objects, by their ids, of which it is a part.
    """
    chain = (*inside, id(value))

    def part(one: Any) -> Any:
        return "itself" if id(one) in chain else described(one, chain)

    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (np.ndarray, np.generic, jax.Array)):
        is_number = value.ndim == 0 and not jnp.issubdtype(value.dtype, jax.dtypes.prng_key)
        return np.asarray(value).tolist() if is_number else digest(value)
    if hasattr(value, "_asdict"):  # a NamedTuple
        value = value._asdict()
    if isinstance(value, Mapping):
        return {str(name): part(one) for name, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        ordered = sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value
        return [part(one) for one in ordered]
    name, given, code = _made_of(value)
    if name is None:
        return without_addresses(value)
    facts = {"function": name} | code | ({"with": part(given)} if given else {})
    return facts if len(facts) > 1 else name


def digest(tree: Any) -> str | None:
    """The SHA-256 of all arrays of a tree, those in a file a part at a time; None for None."""
    if tree is None:
        return None
    content = hashlib.sha256()
    for leaf in jax.tree.leaves(tree):
        content.update(f"{leaf.dtype}{leaf.shape}".encode())
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            leaf = jax.random.key_data(leaf)  # noqa: PLW2901
        for part in leaf.chunks() if isinstance(leaf, Mapped) else [leaf]:
            # As bytes: Python's buffers do not know bfloat16.
            content.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
    return content.hexdigest()


def of_samples(training: Samples, validation: Samples | None) -> dict[str, Any]:
    """What a run trains on and is validated on."""
    return {"training": _samples(training), "validation": _samples(validation)}


def _samples(samples: Any) -> dict[str, Any] | None:
    if samples is None:
        return None
    shapes = [list(array.shape) for array in jax.tree.leaves(samples)]
    return {"shapes": shapes, "digest": digest(samples)}


def _init(plan: Plan) -> dict[str, Any] | None:
    """What draws the params that a run of a user's own model begins with."""
    init = plan.model.init
    if init is None or not (plan.recipe is plan.params is plan.state is None):
        return None
    with numerics(plan.dtype):
        return _code(digest_of(init, initial_key(0)))


def _code(digest: str) -> dict[str, Any]:
    """A digest of what is computed, by the versions and the kind of device it was traced with.

    Others may write the same in another way, so the digests are compared within one of them.
    """
    by = (*map(" ".join, _versions().items()), jax.default_backend())
    return {CODE: {", ".join(by): digest}}


def _versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in ("funcnn", "jax")}


def _devices(placement: Placement | None) -> dict[str, Any] | None:
    """How many devices there are: which they are changes nothing."""
    if placement is None:
        return None
    return {"count": len(placement.devices), "sharding": placement.axis}


def _optimizer(optimizer: Any) -> Any:
    if isinstance(optimizer, WholeStep):
        return optimizer.digest
    if not isinstance(optimizer, Recipe):
        return described(optimizer.update)
    return {
        "name": described(optimizer.factory),
        "settings": described(dict(optimizer.settings)),
        "schedules": described(dict(optimizer.schedules)),
    }


def _made_of(value: Any) -> tuple[str | None, dict[str, Any], dict[str, Any]]:
    """The name of a function or a class, what it was given, and its code; None for others."""
    if isinstance(value, functools.partial):
        name, given, code = _made_of(value.func)
        positional = {str(number): one for number, one in enumerate(value.args)}
        return name, given | positional | value.keywords, code
    function = inspect.unwrap(value) if callable(value) else value
    name = getattr(function, "__qualname__", None)
    if name is None:
        return None, {}, {}
    module = getattr(function, "__module__", None) or ""
    given, plain = {}, function
    if inspect.ismethod(function):
        plain, given = function.__func__, {"self": function.__self__}
    code = {}
    if inspect.isfunction(plain):
        given = _captured(plain) | given
        if module.partition(".")[0] not in LIBRARIES:
            given = _read(plain) | given
            code = {CODE: {_PYTHON: _code_digest(plain.__code__, plain.__doc__)}}
    return f"{module}.{name}", given, code


def _captured(function: types.FunctionType) -> dict[str, Any]:
    """The defaults of a Python function, and what its closure holds, by name."""
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is not parameter.empty
    }
    return defaults | closure_of(function)


def _read(function: types.FunctionType) -> dict[str, Any]:
    """The functions, numbers and texts that a function reads of its module, by name."""
    kinds = (bool, int, float, str, types.FunctionType)
    return {name: one for name, one in globals_of(function).items() if isinstance(one, kinds)}


def _code_digest(code: types.CodeType, doc: str | None = None) -> str:
    """The SHA-256 of what a function does; its place and its docstring do not count."""

    def told(constant: Any) -> Any:
        if isinstance(constant, types.CodeType):
            return _code_digest(constant)
        return sorted(map(repr, constant)) if isinstance(constant, frozenset) else constant

    constants = list(code.co_consts)
    if constants and constants[0] in (None, doc):
        del constants[0]  # The docstring, or that there is none.
    parts = (code.co_code, code.co_names, code.co_varnames, [*map(told, constants)])
    return hashlib.sha256(repr(parts).encode()).hexdigest()
