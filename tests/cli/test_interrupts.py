"""Ctrl-C and SIGTERM, sent to a process by itself at a named place, never by a clock."""

from __future__ import annotations

import signal
import subprocess
import sys

import numpy as np
import pytest

import funcnn

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signals")

LINE = "funcnn: interrupted\n"


def process(code, *arguments):
    """The exit code, stdout and stderr of a program, which starts with the usual signals."""
    usual = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "interrupt = lambda: signal.raise_signal(signal.SIGINT)\n"
        "terminate = lambda: signal.raise_signal(signal.SIGTERM)\n"
    )
    command = [sys.executable, "-c", usual + code, *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return ended.returncode, ended.stdout, ended.stderr


# The signals alone: nothing large is imported.


def watched(code):
    return process(f"from funcnn import signals\nsignals.watch()\n{code}\nprint('end')")


def test_a_signal_ends_the_process_at_once():
    assert watched("interrupt()") == (130, "", LINE)
    assert watched("terminate()") == (143, "", LINE)


def test_a_signal_is_seen_while_the_main_thread_cannot_look():
    # As inside XLA's compiler: Python's own handler is never reached.
    code = "import threading; signal.signal(signal.SIGINT, lambda *_: None)\n"
    assert watched(f"{code}interrupt(); threading.Event().wait()") == (130, "", LINE)


def test_a_file_is_written_first():
    code = "with signals.writing():\n    interrupt(); print('written', flush=True)"
    assert watched(code) == (130, "written\n", LINE)


def test_a_second_signal_ends_it_in_any_case():
    code = "with signals.writing():\n    interrupt(); terminate(); print('written', flush=True)"
    assert watched(code) == (143, "", LINE)


@pytest.mark.parametrize(("before", "out"), [("", ""), ("signals.something_to_keep()", "saved\n")])
def test_a_result_is_kept_as_soon_as_there_is_one(before, out):
    code = f"with signals.keeping():\n    {before}; interrupt(); print('saved', flush=True)"
    assert watched(code.replace("    ; ", "    ")) == (130, out, LINE)


def test_nothing_is_kept_where_no_command_asks_for_it():
    code = "signals.something_to_keep(); interrupt()"
    assert watched(code) == (130, "", LINE)
    code = "with signals.keeping():\n    signals.something_to_keep()\ninterrupt()"
    assert watched(code) == (130, "", LINE)


def test_after_an_error_the_command_still_says_what_went_wrong():
    code = """
try:
    with signals.writing():
        interrupt()
        raise OSError("full")
except OSError as error:
    print(error, signals.came().name, flush=True)
"""
    assert watched(code) == (0, "full SIGINT\nend\n", "")


def test_a_signal_that_is_ignored_from_the_start_stays_ignored():
    code = "signal.signal(signal.SIGINT, signal.SIG_IGN); signals.watch(); interrupt()"
    assert process(f"from funcnn import signals; {code}; print('end')") == (0, "end\n", "")


def test_a_library_s_user_keeps_python_s_signals():
    code = """
from funcnn import signals
try:
    with signals.keeping(), signals.writing():
        signals.something_to_keep()
        interrupt()
except KeyboardInterrupt:
    print(signals.came())
"""
    assert process(code) == (0, "None\n", "")


# Whole commands, interrupted at a place of their lives.

COMMAND = "from funcnn.__main__ import main; main()"


@pytest.mark.slow
def test_while_jax_is_imported():
    code = f"""
import sys
class Finder:
    def find_spec(self, name, path, target=None):
        if name == "jax.numpy":
            interrupt()
sys.meta_path.insert(0, Finder())
{COMMAND}"""
    assert process(code, "train", "polynomial") == (130, "", LINE)


@pytest.mark.slow
def test_while_it_compiles():
    code = f"""
from jax import monitoring
monitoring.register_event_duration_secs_listener(lambda *_, **__: terminate())
{COMMAND}"""
    assert process(code, "train", "polynomial") == (143, "", LINE)


@pytest.mark.slow
def test_in_a_run_whose_result_is_saved(tmp_path):
    path = tmp_path / "w.npz"
    code = f"""
import funcnn.runs.run
class Terminated(funcnn.runs.run.ClockPace):
    made = 0
    def length(self):
        return 100
    def took(self, steps, seconds):
        self.made += steps
        if self.made == 300:
            terminate()
funcnn.runs.run.ClockPace = Terminated
{COMMAND}"""
    code, out, err = process(code, "train", "polynomial", "--save", path)
    assert (code, err) == (
        143,
        f"funcnn: interrupted; {path} holds the weights after 300 steps\n",
    )
    assert out.splitlines()[-1] == f"Weights: {path}"
    whole = funcnn.train("polynomial", steps=300)
    np.testing.assert_array_equal(funcnn.load_params(path)["a"], whole.params["a"])


@pytest.mark.slow
def test_in_the_reference_s_loop_and_a_callback_that_loses_exceptions():
    code = f"""
import gc
from funcnn.atlas.reference import numpy_loops
def cubic(*arguments):
    gc.callbacks.append(lambda *_: interrupt())
    gc.collect()
    print("the signal was ignored")
numpy_loops.cubic = cubic
{COMMAND}"""
    assert process(code, "reproduce", "sine/numpy") == (130, "", LINE)


@pytest.mark.slow
def test_while_the_weights_are_written(tmp_path):
    path = tmp_path / "w.npz"
    code = f"""
import os
before = os.fsync
def fsync(descriptor):
    interrupt()
    before(descriptor)
os.fsync = fsync
{COMMAND}"""
    code, out, err = process(code, "train", "polynomial", "--steps", 300, "--save", path)
    assert (code, err) == (130, LINE)
    assert out.splitlines()[-1] == f"Weights: {path}"
    assert list(tmp_path.iterdir()) == [path]
    assert sorted(funcnn.load_params(path)) == ["a", "b", "c", "d"]


@pytest.mark.slow
def test_at_the_end_of_the_process():
    code = f"import atexit; atexit.register(interrupt)\n{COMMAND}"
    code, out, err = process(code, "train", "polynomial", "--steps", 3)
    assert (code, err) == (130, LINE)
    assert out.splitlines()[-1].startswith("Time: ")


def test_the_signals_of_this_process_are_the_usual_ones():
    """Otherwise the tests above would say nothing of a usual process."""
    code = "print(signal.getsignal(signal.SIGTERM).name)"
    assert process(code) == (0, f"{signal.SIG_DFL.name}\n", "")
