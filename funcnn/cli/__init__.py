"""The command line: ``funcnn train mlp``.

Exit codes: 0; 1 where a run diverges, losses differ or a file cannot be written; 2 for
bad input, with one line on stderr; 130 after Ctrl-C.
"""

from __future__ import annotations

import io
import os
import sys
from typing import NoReturn

import click

import funcnn
from funcnn.cli import atlas, benchmarking, sweeping, training

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command line and exit."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # A terminal may lack the letters of a formula.
            stream.reconfigure(errors="replace")
    try:
        # Not commands.main, which prints a line of its own at Ctrl-C.
        with commands.make_context("funcnn", sys.argv[1:]) as context:
            commands.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as exit_:
        sys.exit(exit_.exit_code)
    except click.ClickException as error:
        _exit(2, error.format_message())
    except (funcnn.ArgumentError, ImportError) as error:
        _exit(2, str(error))
    except funcnn.DivergenceError as error:
        _exit(1, str(error))
    except KeyboardInterrupt:
        _exit(130, "interrupted")
    except BrokenPipeError:
        # The reader of stdout has left; Python would complain once more at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        _exit(1, str(error))
    sys.exit(0)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(funcnn.__version__, message="%(prog)s %(version)s")
@click.pass_context
def commands(context: click.Context) -> None:
    """Train small networks as pure JAX functions, with the losses that PyTorch gives."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for _command in (
    training.train,
    training.models,
    sweeping.sweep,
    atlas.experiments,
    atlas.reproduce,
    benchmarking.bench,
):
    commands.add_command(_command)


def _exit(code: int, message: str) -> NoReturn:
    click.echo(f"funcnn: {' '.join(message.split())}", err=True)
    sys.exit(code)
