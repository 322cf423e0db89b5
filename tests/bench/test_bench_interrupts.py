"""How the measurement of interrupts judges the end of a process."""

from __future__ import annotations

import signal

import pytest

from funcnn.bench.interrupts import _is_whole, _kind

LINE = "funcnn: interrupted\n"
TRACEBACK = "Traceback (most recent call last):\nKeyboardInterrupt\n"


@pytest.mark.parametrize(
    ("code", "said", "kind"),
    [
        (130, LINE, "answered"),
        (130, "funcnn: interrupted; w.npz holds the weights after 3 steps\n", "answered"),
        (143, LINE, "traceback or killed"),
        (130, "", "traceback or killed"),
        (130, LINE + LINE, "traceback or killed"),
        (130, TRACEBACK, "traceback or killed"),
        (1, TRACEBACK, "traceback or killed"),
        (-signal.SIGINT, TRACEBACK, "traceback or killed"),
        (0, "", "ignored"),
        (0, "Exception ignored in a callback\n", "ignored"),
        (-signal.SIGSEGV, LINE, "crash or hang"),
        (-signal.SIGABRT, "", "crash or hang"),
    ],
)
def test_how_a_process_ended(code, said, kind):
    assert _kind(code, said, signal.SIGINT) == kind


@pytest.mark.parametrize(
    ("name", "content", "whole"),
    [
        ("index.html", b"<html></html>\n", True),
        ("index.html", b"<html>", False),
        ("table.csv", b"a,b\n1,2\n", True),
        ("table.csv", b"a,b\n1,", False),
        (".table.csv.0123456789abcdef", b"a,b\n1,2\n", False),
    ],
)
def test_whether_a_file_is_whole(name, content, whole, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    assert _is_whole(path) == whole
