"""Folds and resamples of the samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcnn.core import ArgumentError
from funcnn.data.splits import fold, resampled


@given(st.integers(2, 60), st.integers(2, 9), st.integers(0, 5))
def test_each_sample_is_in_one_fold(samples, folds, seed):
    if folds > samples:
        with pytest.raises(ArgumentError, match="would be empty"):
            fold(samples, 0, folds, seed)
        return
    parts = [fold(samples, number, folds, seed) for number in range(folds)]
    aside = [part for _, part in parts]
    assert np.sort(np.concatenate(aside)).tolist() == list(range(samples))
    assert max(map(len, aside)) - min(map(len, aside)) <= 1
    for training, part in parts:
        assert np.sort(np.append(training, part)).tolist() == list(range(samples))


def test_every_fold_holds_each_class_in_its_share():
    classes = np.repeat([0, 1, 2], [40, 16, 4])
    for number in range(4):
        _, aside = fold(60, number, 4, 0, classes)
        assert np.bincount(classes[aside]).tolist() == [10, 4, 1]


def test_a_resample_draws_with_replacement_by_its_seed():
    rows = resampled(1000, 3)
    assert (rows == resampled(1000, 3)).all()
    assert (rows != resampled(1000, 4)).any()
    # A sample is left out with a chance of 1/e: 368 of them, give or take 10.
    assert 300 < 1000 - len(np.unique(rows)) < 440
