"""Members with samples of their own: pairs of data and folds, side by side in one loop."""

from __future__ import annotations

import functools
import os
import pickle
from concurrent.futures import Future

import numpy as np
import pytest

import funcnn
from funcnn.runs.planning import make_plan
from funcnn.runs.sweeps import groups
from funcnn.runs.sweeps.kinds import Kind

RNG = np.random.default_rng(0)


def pair(number, samples=24):
    x = RNG.standard_normal((samples, 3)) * (1 + number)
    return x, x @ np.array([1.0, -2.0, number]) + 0.1 * RNG.standard_normal(samples) + 5 * number


PAIRS = [pair(number) for number in range(5)]
NET = {
    "model": "mlp_linear", "hidden": 4, "steps": 12, "batch_size": 8, "standardize": True,
    "dtype": "float64", "learning_rate": 1e-2,
}  # fmt: skip


def swept(**arguments):
    return funcnn.sweep(**NET | {"data": PAIRS} | arguments)


def assert_alike(result, member, expected, x):
    found = result.result(member)
    # The same arithmetic, its sums in another order.
    np.testing.assert_allclose(found.losses, expected.losses, rtol=1e-12)
    for name, column in expected.history.items() if result.history else ():
        np.testing.assert_allclose(found.history[name], column, rtol=1e-11)
    for name in expected.params:
        np.testing.assert_allclose(found.params[name], expected.params[name], rtol=1e-11)
    np.testing.assert_allclose(found.predict(x), expected.predict(x), rtol=1e-11)
    np.testing.assert_array_equal(
        found.preparation.x_scale.mean if found.preparation.x_scale else 0,
        expected.preparation.x_scale.mean if expected.preparation.x_scale else 0,
    )


def assert_same_bits(found, expected):
    assert found.settings == expected.settings
    for name in ("losses", "scores", "diverged", "steps"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    for name, leaf in expected.params.items():
        np.testing.assert_array_equal(found.params[name], leaf)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"form": "gram", "model": "mlp", "optimizer": "momentum", "batch_size": None},
        {"form": "gram", "optimizer": "sgd"},
        {"form": "gram", "model": "polynomial_linear", "hidden": None, "batch_size": None},
        {"model": "polynomial", "hidden": None, "optimizer": "adam"},
        {"validation_fraction": 0.25, "metrics": ["r2"], "evaluate_every": 5, "patience": 1},
        {"metrics": "r2", "evaluate_every": 5},
        {"validation": PAIRS[0], "sample_weight": np.arange(24.0), "standardize": False},
        {"resample": True, "validation_fraction": 0.25},
    ],
)
def test_a_member_is_what_train_gives_of_its_own_pair(arguments):
    pairs = PAIRS
    if "polynomial" in arguments.get("model", ""):
        pairs = [(np.tanh(x[:, 0]), y) for x, y in PAIRS]
    if arguments.get("model") == "mlp":
        arguments = arguments | {"learning_rate": 1e-3}
    result = swept(**arguments, data=pairs, seed=[0, 3], group=4)
    assert len(result.kinds) == 1
    own = {name: one for name, one in arguments.items() if name != "validation_fraction"}
    for member in (0, 3, 9):
        setting = dict(result.settings[member])
        data = pairs[setting.pop("data")]
        more = {}
        if "validation_fraction" in arguments and setting["seed"]:
            continue  # What is set aside of a sweep of seeds is that of seed 0.
        if "validation_fraction" in arguments:
            more = {"validation_fraction": 0.25}
        alone = funcnn.train(**NET | own | more | setting | {"data": data})
        assert_alike(result, member, alone, data[0])


def test_pairs_share_a_loop_and_compile_nothing_again(compiles):
    swept(group=2)
    with compiles() as compiled:
        swept(data=[pair(number) for number in range(7, 16)], group=2)
    assert compiled == []


@pytest.mark.slow
def test_folds_of_one_size_share_a_loop():
    x, y = pair(1, 26)
    shared = NET | {"data": (x, y), "evaluate_every": 4}
    even, uneven = (funcnn.sweep(**shared, folds=folds) for folds in (2, 4))
    assert [len(one.kinds) for one in (even, uneven)] == [1, 2]
    for result, folds in ((even, 2), (uneven, 4)):
        for fold in range(folds):
            assert_alike(result, fold, funcnn.train(**shared, fold=(fold, folds)), x)
    assert uneven.kinds[0].members.tolist() == [0, 1]


@pytest.mark.slow
def test_pairs_of_other_shapes_and_other_models_are_kinds_of_their_own():
    pairs = [PAIRS[0], pair(1, 20), PAIRS[2], pair(3, 20)]
    result = swept(data=pairs, hidden=[4, 5], group=2)
    # The list of data is the first argument of the two, and changes slowest.
    assert [kind.members.tolist() for kind in result.kinds] == [[0, 4], [1, 5], [2, 6], [3, 7]]
    for member, setting in enumerate(result.settings):
        data = pairs[setting["data"]]
        alone = funcnn.train(**NET | {"hidden": setting["hidden"], "data": data})
        assert_alike(result, member, alone, data[0])


def labelled(names):
    return PAIRS[0][0], np.array(names)[(PAIRS[0][0][:, 0] > 0).astype(int)]


@pytest.mark.slow
def test_each_member_knows_its_own_labels_and_metrics_that_compute_with_numpy():
    pairs = [labelled(["no", "yes"]), labelled(["odd", "even"])]
    shared = NET | {"loss": "cross_entropy", "metrics": ["roc_auc", "accuracy"]}
    shared |= {"validation_fraction": 0.25, "evaluate_every": 6}
    result = funcnn.sweep(**shared | {"data": pairs})
    assert len(result.kinds) == 1
    for member, data in enumerate(pairs):
        alone, found = funcnn.train(**shared | {"data": data}), result.result(member)
        assert set(found.predict_classes(data[0])) <= set(data[1])
        np.testing.assert_array_equal(
            found.predict_classes(data[0]), alone.predict_classes(data[0])
        )
        for name, column in alone.history.items():
            np.testing.assert_allclose(found.history[name], column, rtol=1e-11)
    with pytest.raises(funcnn.ArgumentError, match="different classes"):
        result.predict(PAIRS[0][0])


@pytest.mark.slow
def test_pairs_of_as_many_samples_and_of_more_classes_are_of_another_kind():
    x = PAIRS[0][0]
    pairs = [(x, np.arange(24) % classes) for classes in (2, 3, 2)]
    result = swept(data=pairs, loss="cross_entropy")
    assert [kind.members.tolist() for kind in result.kinds] == [[0, 2], [1]]
    assert [result.result(member).predict(x).shape for member in range(3)] == [
        (24, 2), (24, 3), (24, 2)
    ]  # fmt: skip


@pytest.mark.slow
def test_a_traced_module_of_pytorch_has_its_own_pairs():
    torch = pytest.importorskip("torch")
    net = torch.nn.Linear(3, 1).double()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    shared = {"loss": torch.nn.MSELoss(), "optimizer": optimizer, "steps": 5}
    pairs = [(x, y[:, None]) for x, y in PAIRS]
    result = funcnn.sweep(net, pairs, **shared)
    assert len(result.kinds) == 1
    for member, data in enumerate(pairs):
        alone = funcnn.train(net, data, **shared)
        np.testing.assert_allclose(result.losses[member], alone.losses, rtol=1e-12)


# Where and how they are trained.


SHARED = {"validation_fraction": 0.25, "evaluate_every": 4, "seed": [0, 3], "group": 3}


@functools.cache
def whole():
    return swept(**SHARED, workers=1)


def test_a_folder_knows_all_pairs(tmp_path):
    shared = SHARED | {"folder": tmp_path}
    assert_same_bits(swept(**shared), whole())
    (tmp_path / "group-00001.npz").unlink()
    assert_same_bits(swept(**shared), whole())
    saved = funcnn.load_sweep(tmp_path)
    np.testing.assert_array_equal(saved.losses, whole().losses)
    for member in (1, 6, 9):
        x, _ = PAIRS[saved.settings[member]["data"]]
        np.testing.assert_array_equal(
            saved.predictor(member).predict(x), whole().result(member).predict(x)
        )
    x, y = PAIRS[3]
    other = [*PAIRS[:3], (x, y + 1), PAIRS[4]]
    with pytest.raises(funcnn.ArgumentError, match=r"kinds\.0\.samples\.3\.preparation\.y_scale"):
        swept(**shared | {"data": other})


def test_a_task_for_another_process_has_the_samples_of_its_group_alone():
    tasks = []

    class Engine:
        def submit(self, function, parcel, task, attempt):
            task = pickle.loads(pickle.dumps(task))
            tasks.append(task)
            future = Future()
            future.set_result(function(parcel._replace(sender=os.getpid()), task, attempt))
            return future

    assert_same_bits(swept(**SHARED, executor=Engine(), workers=1), whole())
    seen = {id(member["data"]) for task in tasks for member in task.members}
    assert len(tasks) == 4
    # Of the pairs 0 0 1, 1 2 2, 3 3 4 and 4, each travels once with a group.
    assert len(seen) == 2 + 2 + 2 + 1
    first = tasks[0].members[0]["data"].training
    assert first.x.shape == (18, 3)


def test_who_goes_on_after_a_halving_keeps_its_samples():
    rates = {"learning_rate": [1e-2, 1e-3], "evaluate_every": 4, "group": 4}
    full, half = swept(**rates), swept(**rates, halving=4)
    assert sorted(half.steps.tolist()) == [4] * 5 + [8] * 2 + [12] * 3
    for member in np.flatnonzero(half.steps == 12):
        np.testing.assert_array_equal(half.losses[member], full.losses[member])


def test_of_the_best_the_params_are_kept():
    best = whole().ranking[:2]
    kept = swept(**SHARED, keep=2)
    np.testing.assert_array_equal(kept.kept, np.sort(best))
    x, _ = PAIRS[kept.settings[best[0]]["data"]]
    np.testing.assert_array_equal(kept.best().predict(x), whole().best().predict(x))


def test_a_member_that_diverges_leaves_the_others_alone():
    x, y = PAIRS[1]
    shared = {"standardize": False, "optimizer": "sgd", "group": 5, "learning_rate": 1e-4}
    calm = swept(**shared)
    wild = swept(**shared, data=[PAIRS[0], (x, 1e200 * y), *PAIRS[2:]])
    assert (wild.diverged >= 0).tolist() == [False, True, False, False, False]
    for member in (0, 2, 3, 4):
        np.testing.assert_array_equal(wild.losses[member], calm.losses[member])


@pytest.mark.parametrize("form", ["direct", "gram"])
def test_a_group_is_narrower_where_each_member_has_its_own_samples(form, monkeypatch):
    monkeypatch.setattr(groups, "usable_cores", lambda: 1)
    monkeypatch.setattr(groups, "CACHE", 2**40)
    x = np.zeros((512, 600))
    options = {"optimizer": "sgd", "hidden": 4, "form": form}
    plan = make_plan("mlp", (x, x[:, :2]), **options)
    shared = groups.width_of([Kind(plan, np.arange(1000), [{}] * 1000)], 1)
    own = groups.width_of([Kind(plan, np.arange(1000), [{"data": plan.prepared}] * 1000)], 1)
    assert own * x.size * 4 < 2**30
    assert own < shared
    # In gram form a member has the inner products of its own, too.
    assert own * (x.size + (512 * 512 if form == "gram" else 0)) * 4 < 2**30
