"""Members of several kinds: sizes, optimizers, batches, models, data, schedules and folds."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

import funcnn
from funcnn.data import splits
from funcnn.optimizers import schedules

RNG = np.random.default_rng(0)
X = RNG.standard_normal((41, 3))
Y = X @ np.array([1.0, -2.0, 0.5]) + 0.1 * RNG.standard_normal(41) + 5
NET = {
    "model": "mlp_linear", "data": (X, Y), "hidden": 4, "steps": 12, "batch_size": 8,
    "standardize": True, "dtype": "float64",
}  # fmt: skip


@functools.cache
def in_folds():
    return funcnn.sweep(**NET, learning_rate=[1e-3, 1e-1], folds=3, evaluate_every=4, metrics="r2")


def assert_alike(result, member, expected):
    found = result.result(member)
    # The same arithmetic, its sums in another order.
    np.testing.assert_allclose(found.losses, expected.losses, rtol=1e-10)
    if result.history:
        assert list(found.history) == list(expected.history)
        for name, column in expected.history.items():
            np.testing.assert_allclose(found.history[name], column, rtol=1e-8)
    for name in expected.params:
        np.testing.assert_allclose(found.params[name], expected.params[name], rtol=1e-9)
    np.testing.assert_allclose(found.predict(X), expected.predict(X), rtol=1e-9)


@pytest.mark.slow
def test_a_member_of_a_fold_is_what_train_gives_of_it():
    result = in_folds()
    assert result.settings[1] == {"learning_rate": 1e-3, "fold": 1}
    for member in (0, 1, 5):
        setting = dict(result.settings[member])
        fold = (setting.pop("fold"), 3)
        alone = funcnn.train(**NET, **setting, fold=fold, evaluate_every=4, metrics="r2")
        assert_alike(result, member, alone)
        assert result.scores[member] == pytest.approx(alone.record["validation_loss"])


def test_folds_are_ranked_by_their_mean():
    result = in_folds()
    means = result.scores.reshape(2, 3).mean(axis=1)
    assert means[0] > means[1]
    assert [result.settings[member]["learning_rate"] for member in result.ranking[:3]] == [0.1] * 3
    np.testing.assert_array_equal(result.ranking[:3], 3 + np.argsort(result.scores[3:]))
    rows = result.by_setting()
    assert [row["learning_rate"] for row in rows] == [0.1, 1e-3]
    assert rows[0]["mean"] == pytest.approx(means[1])
    assert rows[0]["spread"] == pytest.approx(result.scores[3:].std())
    assert (rows[0]["members"], rows[0]["diverged"]) == (3, 0)


@pytest.mark.slow
def test_settings_are_in_the_order_in_which_members_are_ranked():
    net = NET | {"evaluate_every": 4, "learning_rate": [1e-1, 1e-2, 1e-3], "folds": 2}
    result = funcnn.sweep(**net)
    result.diverged[0] = 3
    assert [row["learning_rate"] for row in result.by_setting()] == [1e-2, 1e-3, 1e-1]
    half = funcnn.sweep(**net, halving=4)
    half.scores[4:] = 0
    assert [row["learning_rate"] for row in half.by_setting()] == [1e-1, 1e-2, 1e-3]
    half.diverged[0] = 9
    assert [row["learning_rate"] for row in half.by_setting()] == [1e-2, 1e-3, 1e-1]


@pytest.mark.parametrize("folder", [None, "of a sweep"])
def test_the_best_by_their_mean_are_kept(tmp_path, folder):
    # The fold with the lowest score is not of the setting with the lowest mean.
    one_high = np.where(np.arange(41) == 40, 100.0, 0.0)
    net = NET | {"data": [(X, one_high), (X, 5 + np.tanh(X[:, 0]))], "standardize": False}
    net |= {"folds": 2, "hidden": (), "batch_size": None, "learning_rate": 0.1}
    whole = funcnn.sweep(**net)
    assert whole.settings[whole.scores.argmin()]["data"] == 0
    assert whole.settings[whole.ranking[0]]["data"] == 1
    result = funcnn.sweep(**net, keep=1, folder=folder and tmp_path / folder)
    assert result.kept.tolist() == [whole.ranking[0]]
    np.testing.assert_array_equal(result.best().params["w1"], whole.best().params["w1"])


@pytest.mark.slow
def test_folds_alone_are_a_sweep():
    result = funcnn.sweep(**NET, folds=4)
    assert result.settings == [{"fold": number} for number in range(4)]
    assert result.predict(X).spread.shape == (41,)


def test_a_setting_of_which_a_fold_diverges_comes_last():
    result = in_folds()
    diverged = np.array([-1, -1, -1, -1, 5, -1])
    ranking = funcnn.SweepResult.ranking.fget
    changed = type("Changed", (), vars(result) | {"diverged": diverged})
    assert set(ranking(changed)[:3]) == {0, 1, 2}
    assert set(ranking(changed)) == {0, 1, 2, 3, 5}


@pytest.mark.parametrize("form", ["direct", "gram"])
def test_each_member_has_its_own_resample(form):
    own = {"model": "mlp", "learning_rate": 1e-3, "standardize": None, "form": form}
    net = NET | own | {"optimizer": "sgd"}
    result = funcnn.sweep(**net, resample=True, seed=[0, 3], group=2)
    for member, seed in enumerate((0, 3)):
        assert_alike(result, member, funcnn.train(**net, seed=seed, resample=True))
    assert (result.losses[0] != funcnn.train(**net).losses).all()


@pytest.mark.slow
def test_a_resample_is_of_what_is_trained_on():
    shared = NET | {"validation_fraction": 0.25, "resample": True}
    result = funcnn.sweep(**shared, seed=[0, 3], group=2)
    assert_alike(result, 0, funcnn.train(**shared, seed=0))
    folds = funcnn.sweep(**NET, resample=True, folds=2, group=1)
    assert_alike(folds, 1, funcnn.train(**NET, resample=True, fold=(1, 2)))


def test_a_resample_of_which_nothing_counts_is_refused():
    weight = (np.arange(41) == 3).astype(float)
    seeds = [seed for seed in range(4) if 3 not in splits.resampled(41, seed)]
    shared = NET | {"sample_weight": weight, "resample": True}
    with pytest.raises(funcnn.ArgumentError, match=f"zero for all samples that seed={seeds[0]}"):
        funcnn.sweep(**shared, seed=range(4))


@functools.cache
def many_kinds():
    arguments = {"hidden": [4, (5, 3)], "optimizer": ["sgd", "adam"], "batch_size": [8, 41]}
    return funcnn.sweep(**NET | arguments, seed=[0, 1], learning_rate=[1e-2], group=2)


@pytest.mark.slow
def test_sizes_optimizers_and_batches_are_swept():
    result = many_kinds()
    assert (len(result.settings), len(result.kinds), result.group) == (16, 8, 2)
    first = {"hidden": (5, 3), "batch_size": 8, "optimizer": "adam"}
    assert result.settings[10] == first | {"seed": 0, "learning_rate": 1e-2}
    for member in (0, 7, 10, 13):
        assert_alike(result, member, funcnn.train(**NET | result.settings[member]))
    assert {row["hidden"] for row in result.rows()} == {4, (5, 3)}
    labels = {line.get_label() for line in result.plot().lines}
    assert "hidden=(5, 3), batch_size=41, optimizer=sgd, learning_rate=0.01" in labels


@pytest.mark.slow
def test_what_kinds_do_not_share_is_refused_in_words():
    result = many_kinds()
    for name in ("params", "state", "model"):
        with pytest.raises(funcnn.ArgumentError, match=r"result\(member\)"):
            getattr(result, name)
    assert result.form == "direct"
    assert result.best().losses.shape == (12,)


@pytest.mark.slow
def test_models_and_data_are_named_by_their_places():
    def apply(params, x):
        return x @ params["w"]

    own = (lambda _: {"w": np.zeros(3)}, apply)
    x, other = X[:20], (X[20:30], Y[20:30])
    shared = {"steps": 6, "dtype": "float64", "learning_rate": [0.1, 0.2]}
    result = funcnn.sweep([own, "mlp_linear"], [(x, Y[:20]), other], hidden=None, **shared)
    assert [tuple(one.values()) for one in result.settings[:5]] == [
        (0, 0, 0.1), (0, 0, 0.2), (0, 1, 0.1), (0, 1, 0.2), ("mlp_linear", 0, 0.1),
    ]  # fmt: skip
    for member, model, data in ((3, own, other), (6, "mlp_linear", other)):
        setting = result.settings[member]
        alone = funcnn.train(model, data, **shared | {"learning_rate": setting["learning_rate"]})
        assert_alike(result, member, alone)


@pytest.mark.slow
def test_several_params_of_several_models_on_several_data():
    torch = pytest.importorskip("torch")
    net = torch.nn.Linear(3, 1).double()
    weights = [{"weight": np.full((1, 3), number), "bias": np.zeros(1)} for number in (0.5, 1.5)]
    own = funcnn.interop.from_torch(net)
    x, y = torch.tensor(X), torch.tensor(Y)[:, None]
    pairs = [(x, y), (x[:30], y[:30])]
    shared = {"steps": 3, "learning_rate": 0.1, "dtype": "float64"}
    result = funcnn.sweep([net, own], pairs, params=weights, **shared)
    names = ("model", "data", "params")
    for member, (model, data, params) in enumerate(itertools.product(range(2), repeat=3)):
        assert result.settings[member] == dict(zip(names, (model, data, params), strict=True))
        alone = funcnn.train([net, own][model], pairs[data], params=weights[params], **shared)
        np.testing.assert_allclose(result.losses[member], alone.losses, rtol=1e-9)


@pytest.mark.slow
def test_settings_tell_all_values_apart():
    net = NET | {"steps": 2, "batch_size": None}
    rates = [1.0, schedules.exponential_lr(1e-2, 0.9)]
    for name, values, shown in (
        ("batch_size", [1, None], [1, None]),
        ("hidden", [1, None], [1, None]),
        ("dropout", [None, 0.0], [None, 0.0]),
        ("hidden", [np.int64(3), [np.int64(2), 2]], [3, (2, 2)]),
        ("learning_rate", rates, [1.0, "schedule 1"]),
    ):
        result = funcnn.sweep(**net | {name: values})
        assert [setting[name] for setting in result.settings] == shown
        assert type(result.settings[0][name]) is type(shown[0])
        assert len(result.by_setting()) == 2


@pytest.mark.slow
def test_epochs_of_different_lengths():
    shared = NET | {"steps": None, "epochs": 2, "validation_fraction": 0.25}
    result = funcnn.sweep(**shared | {"batch_size": [8, 16]}, keep_every=3, seed=[0])
    assert result.steps.tolist() == [8, 4]
    assert result.logged_steps.tolist() == [0, 3, 6, 7]
    assert list(result.history) == ["step", "loss", "validation_loss"]
    for member, size in enumerate((8, 16)):
        found = result.result(member)
        alone = funcnn.train(**shared | {"batch_size": size})
        logged = ~np.isnan(found.losses)
        np.testing.assert_allclose(found.losses[logged], alone.losses[logged], rtol=1e-10)
        np.testing.assert_array_equal(found.history["epoch"], alone.history["epoch"])
    with pytest.raises(funcnn.ArgumentError, match="different numbers of steps"):
        funcnn.sweep(**shared | {"batch_size": [8, 16]}, seed=[0], halving=2)


@pytest.mark.slow
def test_schedules_are_swept_and_their_numbers_compile_nothing_again():
    rates = [
        schedules.step_lr(1e-2, 5, 0.5),
        schedules.step_lr(1e-1, 5, 0.3),
        schedules.exponential_lr(1e-2, 0.9),
        3e-2,
    ]
    result = funcnn.sweep(**NET, learning_rate=rates, group=2)
    assert len(result.kinds) == 3
    for member, rate in enumerate(rates):
        assert_alike(result, member, funcnn.train(**NET, learning_rate=rate))


@pytest.mark.slow
def test_who_goes_on_after_a_halving_has_its_bits_and_its_folds():
    shared = NET | {"hidden": [4, (5, 3)], "learning_rate": [1e-1, 1e-2, 1e-3], "folds": 2}
    shared |= {"evaluate_every": 4, "group": 2}
    whole, half = funcnn.sweep(**shared), funcnn.sweep(**shared, halving=4)
    steps = half.steps.reshape(-1, 2)
    assert (steps[:, 0] == steps[:, 1]).all()
    assert sorted(steps[:, 0].tolist()) == [4, 4, 4, 8, 12, 12]
    for member in np.flatnonzero(half.steps == 12):
        np.testing.assert_array_equal(half.losses[member], whole.losses[member])
        for name, leaf in whole.result(member).params.items():
            np.testing.assert_array_equal(half.result(member).params[name], leaf)
    assert half.ranking[0] == whole.ranking[0]


@pytest.mark.slow
def test_members_of_all_kinds_are_there_where_all_diverge_before_a_halving():
    net = NET | {"hidden": [4, (5, 3)], "optimizer": "sgd", "learning_rate": [1e100, 1e120]}
    result = funcnn.sweep(**net, folds=2, evaluate_every=4, halving=4)
    assert (len(result.settings), len(result.kinds)) == (8, 4)
    assert (result.diverged > 0).all()
    assert len(result.ranking) == 0
    assert result.losses.shape == (8, 4)


@pytest.mark.slow
def test_a_folder_holds_all_kinds(tmp_path):
    shared = NET | {"hidden": [4, (5, 3)], "learning_rate": [1e-1, 1e-2], "folds": 2, "group": 1}
    plain = funcnn.sweep(**shared)
    first = funcnn.sweep(**shared, folder=tmp_path, keep=2)
    np.testing.assert_array_equal(first.losses, plain.losses)
    np.testing.assert_array_equal(first.kept, np.sort(plain.ranking[:2]))
    (tmp_path / "group-00003.npz").unlink()
    saved = funcnn.load_sweep(tmp_path)
    assert len(saved.members) == 7
    for place, member in enumerate(saved.members):
        np.testing.assert_array_equal(saved.losses[place], plain.losses[member])
        assert saved.scores[place] == plain.scores[member]
    again = funcnn.sweep(**shared, folder=tmp_path, keep=2)
    np.testing.assert_array_equal(again.losses, plain.losses)
    member = int(again.kept[0])
    saved = funcnn.load_sweep(tmp_path)
    assert saved.settings == plain.settings
    np.testing.assert_array_equal(saved.ranking, plain.ranking)
    for name, leaf in again.result(member).params.items():
        np.testing.assert_array_equal(saved.params(member)[name], leaf)
    prediction = saved.predictor(member).predict(X)
    np.testing.assert_array_equal(prediction, plain.result(member).predict(X))
    with pytest.raises(funcnn.ArgumentError, match="holds another sweep"):
        funcnn.sweep(**shared | {"data": (X, Y + 1)}, folder=tmp_path, keep=2)
    with pytest.raises(funcnn.ArgumentError, match="holds another sweep"):
        funcnn.sweep(**shared | {"resample": True}, folder=tmp_path, keep=2)


def test_a_folder_tells_models_apart_or_refuses_them(tmp_path):
    def init(_):
        return {"w": np.zeros(3)}

    def twice(params, x):
        return 2 * x @ params["w"]

    shared = NET | {"hidden": None, "learning_rate": 0.1}
    alike = [(init, lambda params, x: x @ params["w"]) for _ in range(2)]
    with pytest.raises(funcnn.ArgumentError, match="by def"):
        funcnn.sweep(**shared | {"model": alike}, folder=tmp_path)
    minus = (init, lambda params, x: -x @ params["w"])  # Told apart by its code.
    apart = [(init, twice), alike[0], minus]
    first = funcnn.sweep(**shared | {"model": apart}, folder=tmp_path)
    again = funcnn.sweep(**shared | {"model": apart}, folder=tmp_path)
    np.testing.assert_array_equal(first.losses, again.losses)
    with pytest.raises(funcnn.ArgumentError, match="holds another sweep"):
        funcnn.sweep(**shared | {"model": apart[::-1]}, folder=tmp_path)


def test_a_folder_of_schedules_knows_their_numbers(tmp_path):
    shared = NET | {"folder": tmp_path}
    rates = [schedules.step_lr(rate, 5) for rate in (1e-2, 1e-1)]
    funcnn.sweep(**shared, learning_rate=rates)
    with pytest.raises(funcnn.ArgumentError, match="numbers: "):
        funcnn.sweep(**shared, learning_rate=[rates[0], schedules.step_lr(2e-1, 5)])


@pytest.mark.slow
def test_modules_of_pytorch_and_their_folds():
    torch = pytest.importorskip("torch")
    nets = [
        torch.nn.Sequential(
            torch.nn.Linear(3, width), torch.nn.Tanh(), torch.nn.Linear(width, 1)
        ).double()
        for width in (2, 3)
    ]
    data, shared = (X, Y[:, None]), {"learning_rate": 1e-2, "steps": 5, "folds": 2}
    # In two threads, and PyTorch traces in one at a time.
    result = funcnn.sweep(nets, data, **shared, group=1, workers=2)
    optimizer = torch.optim.Adam(nets[1].parameters(), lr=1e-2)
    whole = {"loss": torch.nn.MSELoss(), "optimizer": optimizer, "steps": 5}
    traced = funcnn.sweep(nets[1], data, folds=2, **whole)
    for fold in range(2):
        alone = funcnn.train(nets[1], data, fold=(fold, 2), **whole)
        for found in (result.losses[2 + fold], traced.losses[fold]):
            np.testing.assert_allclose(found, alone.losses, rtol=1e-9)
