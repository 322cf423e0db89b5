"""The command line: ``funcnn train mlp``.

Exit codes: 0; 1 where a run diverges, losses differ or something cannot be written; 2 for
bad input, with one line on stderr; 130 after Ctrl-C and 143 after SIGTERM (see
``funcnn.signals``). A process starts in ``funcnn.__main__``.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

import funcnn
from funcnn.cli import atlas, benchmarking, predicting, processes, streams, sweeping, training

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command line and exit."""
    streams.open_missing()
    code = _exit_code(sys.argv[1:])
    streams.settle()
    processes.leave_the_others(code)
    sys.exit(code)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(funcnn.__version__, message="%(prog)s %(version)s")
@click.pass_context
def commands(context: click.Context) -> None:
    """Train small networks as pure JAX functions, with the losses that PyTorch gives."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for _command in (
    training.train,
    predicting.predict,
    training.models,
    sweeping.sweep,
    atlas.experiments,
    atlas.reproduce,
    benchmarking.bench,
):
    commands.add_command(_command)


def _exit_code(arguments: Sequence[str]) -> int:
    """Carry out a command, say what went wrong, and give its exit code."""
    try:
        code = _carry_out(arguments)
        sys.stdout.flush()
        return code
    except click.ClickException as error:
        code, message = 2, error.format_message()
    except (funcnn.ArgumentError, ImportError) as error:
        code, message = 2, str(error)
    except (funcnn.DivergenceError, funcnn.CheckpointError) as error:
        code, message = 1, str(error)
    except KeyboardInterrupt as error:
        code = 128 + getattr(error, "signal", signal.SIGINT)
        message = "; ".join(["interrupted", *getattr(error, "__notes__", [])])
    except BrokenPipeError:  # The reader of stdout has left, and needs no words.
        code, message = 1, ""
    except OSError as error:
        code, message = 1, str(error)
    except (AssertionError, RuntimeError):
        code, message = 2, _why_no_device()
        if not message:
            raise
    if message:
        streams.say(message)
    return code


def _carry_out(arguments: Sequence[str]) -> int:
    try:
        # Not commands.main, which prints a line of its own at Ctrl-C.
        with commands.make_context("funcnn", list(arguments)) as context:
            commands.invoke(context)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    return 0


def _why_no_device() -> str:
    """Why JAX has nothing to compute on, as where JAX_PLATFORMS names none; nothing if it has."""
    import jax

    asked = os.environ.get("JAX_PLATFORMS")
    try:
        jax.devices()
    except (AssertionError, RuntimeError) as error:
        return str(error) or f"JAX_PLATFORMS={asked!r}: there is no such device"
    return ""
