"""The names of PyTorch, Keras, optax and scikit-learn, and what an error says to them."""

from __future__ import annotations

import pytest

from funcnn.core import ArgumentError, ArgumentTypeError, checks
from funcnn.core.names import ALIASES, ARGUMENTS, VALUES, alias, here
from funcnn.losses import LOSSES
from funcnn.metrics import METRICS

OPTIMIZERS_OWN = ["momentum", "dampening", "weight_decay", "nesterov", "alpha", "eps", "centered",
                  "beta1", "beta2"]  # fmt: skip
SHARED = ["model", "data", "experiment", "target", "params", "hidden", "activation", "dropout",
          "out_features", "degree", "loss", "optimizer", "learning_rate", "gradient", "form",
          "steps", "epochs", "batch_size", "shuffle", "drop_last", "batches", "sample_weight",
          "standardize", "categories", "clip_grad_norm", "clip_grad_value", "dtype", "seed",
          "progress"]  # fmt: skip
LOSSES_OWN = ["class_weight", "pos_weight"]
WATCHING = ["validation", "validation_fraction", "metrics", "evaluate_every", "monitor", "mode",
            "patience", "min_delta", "callbacks", "checkpoints", "checkpoint_every", "keep",
            "resume", "other_data"]  # fmt: skip
OF_TRAIN = [*SHARED, *WATCHING, "state", "log_every", *OPTIMIZERS_OWN, *LOSSES_OWN]
OF_SWEEP = [*SHARED, "mode", "keep_every", "group", "workers", "executor", "folder", "keep",
            "validation", "validation_fraction", "metrics", "evaluate_every", "monitor",
            "higher_is_better", "patience", "min_delta", "halving", "folds", "resample",
            *OPTIMIZERS_OWN]  # fmt: skip
CHOICES = {
    "loss": list(LOSSES),
    "metrics": list(METRICS),
    "optimizer": ["sgd", "momentum", "rmsprop", "adam", "adamw"],
    "model": ["mlp", "mlp_linear", "polynomial", "polynomial_linear", "legendre", "dynamic"],
    "activation": [
        "relu",
        "tanh",
        "sigmoid",
        "gelu",
        "silu",
        "elu",
        "leaky_relu",
        "softplus",
        "identity",
    ],
    "gradient": ["autodiff", "manual"],
    "dtype": ["float32", "float64"],
    "mode": ["product", "zip"],
}


def train():
    """Stands for ``funcnn.train``: its name is in the message, and nothing else of it."""


def sweep():
    """Stands for ``funcnn.sweep``."""


def refusal(function, name, accepted):
    """What is said to an argument, up to the list of those that are accepted."""
    with pytest.raises(ArgumentTypeError) as caught:
        checks.keywords(function, [name], accepted)
    said, accepted_now = str(caught.value).split(" Accepted: ")
    assert accepted_now == ", ".join(accepted)
    return said


def refusal_of(argument, value):
    """What is said to a name, up to the list of those that are known."""
    with pytest.raises(ArgumentError) as caught:
        checks.choice(argument, value, CHOICES[argument])
    said, known = str(caught.value).split(" Known: ")
    assert known == ", ".join(CHOICES[argument])
    return said


MEANT = {
    # PyTorch
    "lr": "learning_rate", "betas": "beta1 and beta2", "criterion": "loss", "optim": "optimizer",
    "device": None, "maximize": None, "amsgrad": None, "momentum_decay": "momentum",
    "in_features": None, "foreach": None, "batch": "batch_size",
    # Keras
    "nb_epoch": "epochs", "steps_per_epoch": None, "beta_1": "beta1", "beta_2": "beta2",
    "epsilon": "eps", "rho": "alpha", "verbose": "log_every or progress", "units": "hidden",
    "validation_data": "validation", "validation_split": "validation_fraction",
    "clipnorm": "clip_grad_norm", "clipvalue": "clip_grad_value", "callback": "callbacks",
    "drop_remainder": "drop_last", "validation_freq": "evaluate_every",
    # optax
    "b1": "beta1", "b2": "beta2", "decay": "weight_decay or alpha", "eps_root": None,
    "weight_decay_rate": "weight_decay",
    # scikit-learn
    "max_iter": "epochs or steps", "n_iter": "steps", "random_state": "seed", "solver": "optimizer",
    "hidden_layer_sizes": "hidden", "X": "data", "y": "data", "learning_rate_init": "learning_rate",
    "nesterovs_momentum": "nesterov", "early_stopping": "patience",
    "n_iter_no_change": "patience", "tol": "min_delta", "sample_weights": "sample_weight",
    # JAX, and words of no library
    "key": "seed", "rng": "seed", "double": "dtype", "precision": "dtype", "num_epochs": "epochs",
    "n_epochs": "epochs", "max_epochs": "epochs", "iterations": "steps", "num_steps": "steps",
    "batchsize": "batch_size", "loss_fn": "loss", "loss_function": "loss", "opt": "optimizer",
    "hidden_size": "hidden", "hidden_sizes": "hidden", "hidden_dim": "hidden",
    "n_hidden": "hidden", "num_classes": "out_features", "n_classes": "out_features",
    "activation_fn": "activation", "nonlinearity": "activation", "dropout_rate": "dropout",
    "keep_prob": None, "use_bias": None,
    "n_outputs": "out_features", "target_column": "target", "targets": "data or target",
    "weights": "params", "init_params": "params", "initial_params": "params", "l2": "weight_decay",
    "l2_regularization": "weight_decay", "opt_state": "state", "keep_every": None,
    "max_grad_norm": "clip_grad_norm", "gradient_clip_val": "clip_grad_norm",
    "clip": "clip_grad_norm or clip_grad_value", "checkpoint_dir": "checkpoints",
    "save_every": "checkpoint_every", "max_to_keep": "keep", "resume_from_checkpoint": "resume",
    "val_data": "validation", "x_val": "validation", "metric": "metrics",
    "normalize": "standardize", "batch_sampler": "batches",
    # misspelt
    "stepz": "steps", "step": "steps", "momentun": "momentum", "learningRate": "learning_rate",
    "BATCH_SIZE": "batch_size", "optimzer": "optimizer", "degre": "degree",
}  # fmt: skip


@pytest.mark.parametrize("name", MEANT)
def test_what_is_meant_by_an_argument(name):
    said = refusal(train, name, OF_TRAIN)
    if MEANT[name] is None:  # A sentence of its own, and no name that is nearly the same.
        assert said.startswith(f"train takes no {name}. ")
        assert "did you mean" not in said
        assert said.endswith(".")
    else:
        assert said.startswith(f"train takes no {name}; did you mean {MEANT[name]}?")


SENTENCES = {
    "steps_per_epoch": "An epoch has len(x) / batch_size steps.",
    "early_stopping": "did you mean patience? It is how many records in a row",
    "X": "did you mean data? The data are one pair, (x, y).",
    "amsgrad": "AMSGrad is not offered by name: a module of PyTorch may be trained by torch.optim.",
    "device": "JAX chooses the device: train inside `with jax.default_device(...):`; devices= says",
    "in_features": "It follows from the data.",
    "lr_scheduler": "did you mean learning_rate? It may be a schedule, as funcnn.",
    "group": "It is an argument of funcnn.sweep.",
}


@pytest.mark.parametrize("name", SENTENCES)
def test_what_else_is_said_to_an_argument(name):
    assert SENTENCES[name] in refusal(train, name, OF_TRAIN)


@pytest.mark.parametrize(
    "name",
    ["zebra", "average", "factored", "rms_rate", "step_sizes", "etas", "weighted_metrics", "d",
     "", "_", "__"],
)  # fmt: skip
def test_no_hint_where_a_hint_would_mislead(name):
    assert refusal(train, name, OF_TRAIN) == f"train takes no {name}."


def test_a_sweep_says_keep_every_for_log_every_and_train_does_not():
    said = refusal(sweep, "log_every", OF_SWEEP)
    assert said == "sweep takes no log_every; did you mean keep_every?"
    assert "keep_every?" not in refusal(train, "print_every", OF_TRAIN)


def test_only_what_is_accepted_is_suggested():
    assert refusal(sweep, "verbose", OF_SWEEP) == "sweep takes no verbose; did you mean progress?"
    assert refusal(train, "max_epochs", ["data"]) == "train takes no max_epochs."
    for name in WATCHING:
        if name not in OF_SWEEP:
            said = refusal(sweep, name, OF_SWEEP)
            assert said.startswith(f"sweep takes no {name}. It is an argument of funcnn.train")
    assert refusal(train, "betas", ["beta1"]).endswith("did you mean beta1?")  # as misspelt
    assert here("betas", ["beta1"], ARGUMENTS) == ([], "")
    assert here("decay", ["alpha"], ARGUMENTS) == (["alpha"], "")


def test_what_is_accepted_passes():
    checks.keywords(train, OF_TRAIN, OF_TRAIN)
    checks.keywords(sweep, OF_SWEEP, OF_SWEEP)
    for argument, choices in CHOICES.items():
        assert [checks.choice(argument, name, choices) for name in choices] == choices


VALUES_MEANT = {
    "loss": {
        "mean_square_error": "'mean_squared_error'",
        "l2": "'sum_squared_error' or 'mean_squared_error'",
        "l2_loss": "'sum_squared_error' or 'mean_squared_error'",
        "squared_error": "'sum_squared_error' or 'mean_squared_error'",
        "crossentropy": "'cross_entropy'", "Cross_Entropy": "'cross_entropy'",
        "categorical_crossentropy": "'cross_entropy'",
        "sparse_categorical_crossentropy": "'cross_entropy'", "nll": "'cross_entropy'",
        "NLLLoss": "'cross_entropy'", "BCELoss": "'binary_cross_entropy'",
        "binary_crossentropy": "'binary_cross_entropy'",
        "log_loss": "'cross_entropy' or 'binary_cross_entropy'", "hinge": None, "rmse": None,
        "sum_squared_eror": "'sum_squared_error'",
    },
    "metrics": {
        "neg_mean_squared_error": "'mean_squared_error'", "acuracy": "'accuracy'",
        "categorical_accuracy": "'accuracy'", "f1_score": None, "Accuracy": "'accuracy'",
    },
    "optimizer": {
        "SGD": "'sgd'", "torch.optim.SGD": "'sgd'", "Adam": "'adam'", "AdamW": "'adamw'",
        "adam_w": "'adamw'", "RMSprop": "'rmsprop'", "RMSProp": "'rmsprop'",
        "rms_prop": "'rmsprop'", "gd": "'sgd'", "gradient_descent": "'sgd'",
        "nesterov": "'momentum'", "Adagrad": None, "lion": None, "lamb": None, "Adadelta": None,
        "nadam": None, "LBFGS": None, "amsgrad": None, "adm": "'adam'",
    },
    "model": {
        "MLP": "'mlp'", "mlp_regressor": "'mlp_linear'", "MLPRegressor": "'mlp_linear'",
        "linear": "'mlp_linear' or 'polynomial_linear'",
        "nn.Sequential": "'mlp_linear' or 'polynomial_linear'", "cubic": "'polynomial'",
        "DynamicNet": "'dynamic'", "TwoLayerNet": "'mlp'", "mpl": "'mlp'",
    },
    "activation": {
        "ReLU": "'relu'", "nn.Tanh": "'tanh'", "torch.nn.GELU": "'gelu'", "SiLU": "'silu'",
        "swish": "'silu'", "LeakyReLU": "'leaky_relu'", "Softplus": "'softplus'",
        "Identity": "'identity'", "linear": "'identity'", "logistic": "'sigmoid'",
        "sigmoide": "'sigmoid'", "gelu_tanh": "'gelu'", "SELU": None, "Hardtanh": None,
        "softmax": None, "ReLU6": None,
    },
    "gradient": {"autograd": "'autodiff'", "by hand": "'manual'", "manuel": "'manual'"},
    "dtype": {"double": "'float64'", "single": "'float32'", "torch.float64": "'float64'",
              "float": "'float32' or 'float64'"},
    "mode": {"grid": "'product'", "zipped": "'zip'"},
}  # fmt: skip
VALUES_MEANT_ROWS = [
    (argument, value, meant)
    for argument, values in VALUES_MEANT.items()
    for value, meant in values.items()
]


@pytest.mark.parametrize(("argument", "value", "meant"), VALUES_MEANT_ROWS)
def test_what_is_meant_by_a_name(argument, value, meant):
    said = refusal_of(argument, value)
    if meant is None:
        assert said.startswith(f"{argument}={value!r} is not known. ")
        assert "did you mean" not in said
    else:
        assert said.startswith(f"{argument}={value!r} is not known; did you mean {meant}?")


VALUE_SENTENCES = [
    ("loss", "nn.BCELoss", "It takes logits: leave the model's softmax or sigmoid out."),
    ("loss", "nll_loss", "The model predicts logits: leave its log-softmax out."),
    ("loss", "categorical_crossentropy", "leave the model's softmax or sigmoid out."),
    ("loss", "hinge", "pass a function (prediction, target) -> scalar."),
    ("activation", "gelu_tanh", "It is the exact one, with erf: an approximation is not offered."),
    ("activation", "Mish", "It is not offered: pass a model of your own."),
    ("optimizer", "nesterov", "Give it nesterov=True."),
    ("optimizer", "Adagrad", "or train a module of PyTorch with its own torch.optim optimizer."),
]


@pytest.mark.parametrize(("argument", "value", "sentence"), VALUE_SENTENCES)
def test_what_else_is_said_to_a_name(argument, value, sentence):
    assert refusal_of(argument, value).endswith(sentence)


def test_the_names_of_other_arguments_have_no_table():
    with pytest.raises(ArgumentError) as caught:
        checks.choice("target", "mse", ["age", "height"])
    assert str(caught.value) == "target='mse' is not known. Known: age, height"
    with pytest.raises(ArgumentError, match=r"target='Age' is not known; did you mean 'age'\?"):
        checks.choice("target", "Age", ["height", "age"])
    with pytest.raises(ArgumentError, match=r"target='\?' is not known\. Known"):
        checks.choice("target", "?", ["", "%"])


TABLES = {"ARGUMENTS": (ARGUMENTS, {*OF_TRAIN, *OF_SWEEP, *LOSSES_OWN})} | {
    argument: (table, set(CHOICES[argument])) for argument, table in VALUES.items()
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_names_what_exists_and_each_name_once(name):
    table, known = TABLES[name]
    suggested = {
        part
        for same in table.same
        for either in same.split(" or ")
        for part in either.split(" and ")
    }
    assert suggested <= known
    for part in table.same, table.words:
        others = [
            "".join(filter(str.isalnum, other.lower()))
            for names in part.values()
            for other in names.split()
        ]
        assert sorted(others) == sorted(set(others))
    assert all(sentence.endswith(".") for sentence in table.words)


@pytest.mark.parametrize("argument", ALIASES)
def test_an_alias_stands_for_one_name_and_is_in_no_other_table(argument):
    assert ALIASES[argument].keys() <= set(CHOICES[argument])
    names = [name for others in ALIASES[argument].values() for name in others.split()]
    plain = ["".join(filter(str.isalnum, name.lower())) for name in names]
    assert sorted(plain) == sorted(set(plain))
    for name in names:
        assert here(name, CHOICES[argument], VALUES[argument]) == ([], "")
        assert alias(argument, f"library.{name}") in CHOICES[argument]
    for name in CHOICES[argument]:
        assert alias(argument, name) == name


def test_what_is_no_alias_stays_as_it_is():
    for name in ("", "SGD", "nn.", None, 3):
        assert alias("loss", name) == name
