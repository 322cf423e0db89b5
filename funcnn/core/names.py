"""The names that PyTorch, Keras, optax and scikit-learn use, and what stands for them here.

Plain tables. A name of ``ALIASES`` is accepted: it means the same in the other library. The
others are read where a name is unknown: an error then says the right name.

A table has two parts. In ``same``, a name of funcnn stands before the names that others have
for it: ``"a or b"`` where either may be meant, ``"a and b"`` where both are needed. In ``words``,
a sentence stands before the names that it is the answer to; a name may be in both parts.
Capitals, ``_`` and whatever stands before a dot do not count: ``nn.MSELoss`` is ``mse_loss``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

__all__ = ["ALIASES", "ARGUMENTS", "VALUES", "Table", "alias", "here", "spelt"]


class Table(NamedTuple):
    """What stands for the names of others: names of funcnn, and sentences."""

    same: dict[str, str]
    words: dict[str, str]


_SCHEDULES = "schedule scheduler lr_decay lr_schedule lr_scheduler warmup_steps"

ARGUMENTS = Table(
    same={
        "learning_rate": f"{_SCHEDULES} lr eta eta0 rate step_size alpha0 base_lr init_lr "
        "initial_lr lr_init learning_rate_init",
        "epochs": "epoch nb_epoch nb_epochs num_epochs n_epochs max_epochs num_train_epochs",
        "epochs or steps": "max_iter",
        "steps": "iter iters iterations n_iter n_iters num_iters num_iterations "
        "max_iters max_iterations n_steps num_steps max_steps total_steps train_steps updates",
        "batches": "batch_indices batch_sampler sampler",
        "drop_last": "drop_remainder",
        "batch_size": "batch bs mini_batch mini_batch_size train_batch_size",
        "hidden": "hidden_size hidden_sizes hidden_dim hidden_dims hidden_layer hidden_layers "
        "hidden_layer_sizes hidden_features hidden_units hidden_channels n_hidden num_hidden "
        "units n_units num_units neurons width widths layers",
        "activation": "act act_fn activation_fn activation_function hidden_activation nonlinearity",
        "dropout": "drop drop_prob drop_rate dropout_p dropout_prob dropout_rate p_drop",
        "degree": "deg order power",
        "out_features": "classes n_classes num_classes nb_classes outputs n_outputs num_outputs "
        "output_size output_dim out_size out_dim",
        "data": "x y xs ys xy x_train y_train dataset dataloader loader train_data train_dataset "
        "training_data inputs features",
        "data or target": "targets label labels",
        "target": "target_column target_columns target_name y_col y_column label_column",
        "model": "net network module architecture estimator",
        "params": "w weights parameters variables initial_params initial_weights init_params "
        "init_weights theta",
        "state": "initial_state init_state train_state opt_state optimizer_state optim_state "
        "warm_start",
        "sample_weight": "sample_weights",
        "standardize": "normalize normalise standardise scaler",
        "categories": "categorical categorical_features categorical_columns cat_features",
        "clip_grad_norm": "clipnorm global_clipnorm grad_clip gradient_clip "
        "gradient_clip_val clip_grad max_grad_norm max_norm",
        "clip_grad_value": "clipvalue gradient_clip_value",
        "clip_grad_norm or clip_grad_value": "clip clip_gradients",
        "validation": "validation_data validation_set val val_data val_dataset val_dataloader "
        "valid_data x_val y_val x_valid y_valid x_test y_test test_data eval_data eval_dataset "
        "eval_set",
        "folds": "cv kfold n_folds n_splits num_folds",
        "resample": "bootstrap bagging",
        "validation_fraction": "validation_split val_split val_fraction val_size test_size",
        "metrics": "metric scoring eval_metric compute_metrics",
        "evaluate_every": "validation_freq eval_every eval_freq eval_steps val_every "
        "val_check_interval check_val_every_n_epoch",
        "patience": "early_stopping early_stop early_stopping_patience early_stopping_rounds "
        "n_iter_no_change",
        "min_delta": "tol tolerance",
        "callbacks": "callback hook hooks",
        "checkpoints": "checkpoint checkpoint_dir checkpoint_path ckpt ckpt_dir save_dir "
        "output_dir default_root_dir",
        "checkpoint_every": "save_every save_freq save_steps checkpoint_freq",
        "keep": "keep_last max_to_keep max_checkpoints save_total_limit save_top_k",
        "resume": "resume_from resume_from_checkpoint resume_training auto_resume",
        "loss": "criterion objective cost cost_function loss_fn loss_func loss_function",
        "optimizer": "optim opt optimiser solver tx",
        "gradient": "grad grads grad_fn autodiff autograd backward manual value_and_grad",
        "form": "gram",
        "dtype": "double float32 float64 precision x64 enable_x64 jax_enable_x64 param_dtype",
        "seed": "random_state random_seed manual_seed generator key keys rng rngs rng_key prng",
        "log_every or progress": "verbose verbosity disp",
        "log_every": "print_every report_every log_freq log_interval log_steps print_interval",
        "keep_every": "log_every",
        "executor": "client pool",
        "workers": "n_jobs jobs num_workers n_workers max_workers num_threads n_threads threads",
        "progress": "bar progress_bar show_progress tqdm",
        "momentum": "mass momentum_decay",
        "nesterov": "nesterovs_momentum nesterov_momentum use_nesterov",
        "weight_decay": "l2 l2_reg l2_penalty l2_regularization regularization weight_decay_rate "
        "wd",
        "weight_decay or alpha": "decay",
        "alpha": "rho decay_rate smoothing",
        "eps": "epsilon",
        "beta1": "b1",
        "beta2": "b2",
        "beta1 or beta2": "beta",
        "beta1 and beta2": "betas",
        "class_weight": "class_weights weight",
        "pos_weight": "positive_weight",
    },
    words={
        "It may be a schedule, as funcnn.optimizers.schedules.step_lr(1e-2, 30); scheduler= is "
        "for a module of PyTorch.": _SCHEDULES,
        "An epoch has len(x) / batch_size steps.": "steps_per_epoch",
        "It is how many records in a row may pass without a better one.": "early_stopping "
        "early_stop",
        "The data are one pair, (x, y).": "x y xs ys x_train y_train targets label labels",
        "It follows from the data.": "in_features input_size input_dim input_shape in_dim "
        "n_inputs num_inputs n_features num_features n_features_in",
        "AMSGrad is not offered by name: a module of PyTorch may be trained by torch.optim.Adam("
        "..., amsgrad=True).": "amsgrad",
        "eps is added to the root, as in PyTorch; eps_root is not offered.": "eps_root eps_in_sqrt",
        "Pass an optax transformation as the optimizer for this, such as "
        "optax.chain(optax.ema(0.9), optax.sgd(1e-2)).": "use_ema ema_momentum "
        "ema_overwrite_frequency gradient_accumulation_steps accumulate_grad_batches "
        "initial_accumulator_value loss_scale_factor",
        "It is not offered: let the loss be the negative of what is to grow.": "maximize",
        "There is nothing to set: every run is one compiled loop.": "jit jit_compile compile "
        "foreach fused capturable differentiable run_eagerly",
        "JAX chooses the device: train inside `with jax.default_device(...):`; devices= says how "
        "many share a run.": "device accelerator gpu cuda use_gpu",
        "It is an argument of funcnn.train: what finished members of a sweep have come to is kept "
        "by folder=.": "callbacks checkpoints checkpoint_every other_data resume",
        "The models have their own: pass a model of your own for others.": "bias use_bias "
        "fit_intercept kernel_initializer init",
        "model='mlp_linear' takes it.": "activation dropout",
        "It is the share that is kept; dropout is the share that is set to 0.": "keep_prob",
        "It is an argument of funcnn.sweep.": "mode group workers executor folder halving "
        "higher_is_better",
        "train keeps the loss of every step.": "keep_every",
        "'sum_squared_error' is a sum over the samples; every other loss is a mean.": "reduction "
        "reduce size_average",
        "Predictions are logits: leave the model's softmax or sigmoid out.": "from_logits",
        "Each member of a sweep starts anew; funcnn.train goes on from a state.": "state",
    },
)
"""The keyword arguments of ``train``, of ``sweep`` and of the optimizers."""

_NO_NAME = (
    "It has no name here: pass an optax transformation itself, as optax.lion(1e-4), or train a "
    "module of PyTorch with its own torch.optim optimizer."
)
_LOGITS = "It takes logits: leave the model's softmax or sigmoid out."

VALUES = {
    "loss": Table(
        same={
            "mean_squared_error": "mean_square mean_square_error",
            "sum_squared_error": "sum_square sum_squares sum_square_error sum_of_squares",
            "sum_squared_error or mean_squared_error": "l2 l2_loss squared_error squared_loss "
            "squared_l2 least_squares",
            "mean_absolute_error": "mean_abs_error",
            "cross_entropy": "categorical_crossentropy sparse_categorical_crossentropy "
            "safe_softmax_cross_entropy nll nll_loss",
            "binary_cross_entropy": "bce_loss binary_crossentropy",
            "cross_entropy or binary_cross_entropy": "log_loss",
        },
        words={
            "The model predicts logits: leave its log-softmax out.": "nll nll_loss",
            _LOGITS: "categorical_crossentropy sparse_categorical_crossentropy bce_loss "
            "binary_crossentropy log_loss",
            "It is not offered: pass a function (prediction, target) -> scalar.": "rmse "
            "root_mean_squared_error msle mean_squared_logarithmic_error mape "
            "mean_absolute_percentage_error log_cosh "
            "hinge hinge_loss squared_hinge categorical_hinge poisson poisson_nll_loss "
            "gaussian_nll_loss kl_div kl_div_loss kl_divergence cosine_similarity "
            "cosine_embedding_loss ctc ctc_loss focal focal_loss binary_focal_crossentropy "
            "sigmoid_focal_loss categorical_focal_crossentropy poly_loss_cross_entropy",
        },
    ),
    "metrics": Table(
        same={
            "mean_squared_error": "neg_mean_squared_error",
            "mean_absolute_error": "neg_mean_absolute_error",
            "root_mean_squared_error": "neg_root_mean_squared_error",
            "cross_entropy": "categorical_crossentropy sparse_categorical_crossentropy",
            "binary_cross_entropy": "binary_crossentropy",
            "cross_entropy or binary_cross_entropy": "log_loss neg_log_loss",
            "accuracy": "binary_accuracy categorical_accuracy sparse_categorical_accuracy",
        },
        words={
            _LOGITS: "categorical_crossentropy sparse_categorical_crossentropy "
            "binary_crossentropy log_loss neg_log_loss binary_accuracy",
            "It is not offered: pass a function (prediction, target) -> scalar.": "precision "
            "recall f1 f1_score fbeta average_precision balanced_accuracy explained_variance "
            "top_k_accuracy confusion_matrix median_absolute_error max_error mape "
            "mean_absolute_percentage_error",
        },
    ),
    "optimizer": Table(
        same={
            "sgd": "gd gradient_descent stochastic_gradient_descent",
            "momentum": "heavy_ball nag nesterov sgd_momentum sgdm",
        },
        words={
            "Give it nesterov=True.": "nag nesterov",
            "It is not offered; 'adam' is Adam without it.": "amsgrad",
            "It is not offered: it asks for more than the gradient.": "lbfgs polyak_sgd bfgs sam",
            _NO_NAME: "adabelief adadelta adadeltaw adafactor adagrad adamax adamaxw adan amsgradw "
            "asgd fromage ftrl lamb lars lion muon nadam nadamw noisy_sgd novograd "
            "optimistic_adam optimistic_gradient_descent prodigy radam rprop shampoo sign_sgd sm3 "
            "soap sophia sparse_adam yogi",
        },
    ),
    "model": Table(
        same={
            "mlp": "dense feed_forward fully_connected neural_network nn perceptron two_layer "
            "two_layer_net",
            "mlp_linear": "linear_relu_linear mlp_classifier mlp_regressor multi_layer_perceptron",
            "mlp_linear or polynomial_linear": "linear sequential",
            "polynomial": "cubic poly polynomial3 polyfit polynomial_regression quadratic sine",
            "legendre": "legendre_polynomial legendre_polynomial3 p3",
            "dynamic": "dynamic_net",
        },
        words={},
    ),
    "activation": Table(
        same={
            "relu": "rectifier rectified_linear rectified_linear_unit",
            "tanh": "hyperbolic_tangent",
            "sigmoid": "logistic sigm",
            "gelu": "gelu_approximate gelu_new gelu_pytorch_tanh gelu_tanh quick_gelu",
            "silu": "swish swish1",
            "leaky_relu": "leaky lrelu",
            "softplus": "smooth_relu",
            "identity": "linear none",
        },
        words={
            "It is the exact one, with erf: an approximation is not offered.": "gelu_approximate "
            "gelu_new gelu_pytorch_tanh gelu_tanh quick_gelu",
            "The model predicts logits: leave it out.": "softmax log_softmax",
            "It is not offered: pass a model of your own.": "celu crelu exponential glu "
            "hard_shrink hard_sigmoid hard_swish hard_tanh log_sigmoid mish prelu relu6 rrelu "
            "selu soft_shrink soft_sign squareplus tanh_shrink threshold",
        },
    ),
    "gradient": Table(
        same={
            "autodiff": "auto automatic autograd backprop backward grad jax value_and_grad",
            "manual": "analytic analytical by_hand hand",
        },
        words={},
    ),
    "dtype": Table(
        same={
            "float32": "f32 single",
            "float64": "f64 double",
            "float32 or float64": "float",
        },
        words={},
    ),
    "mode": Table(
        same={"product": "all cartesian combinations grid", "zip": "paired pairs pairwise"},
        words={},
    ),
}
"""The arguments that are given a name, and the names."""

_LOSS_ALIASES = {
    "sum_squared_error": "sse rss sum_of_squared_errors residual_sum_of_squares",
    "mean_squared_error": "mse mse_loss mean_squared_error_loss MeanSquaredError",
    "mean_absolute_error": "mae mae_loss l1 l1_loss absolute_error MeanAbsoluteError",
    "huber": "huber_loss Huber",
    "smooth_l1": "smooth_l1_loss",
    "binary_cross_entropy": "bce bce_with_logits bce_with_logits_loss "
    "binary_cross_entropy_with_logits sigmoid_binary_cross_entropy",
    "cross_entropy": "ce cross_entropy_loss softmax_cross_entropy "
    "softmax_cross_entropy_with_integer_labels",
}

ALIASES = {
    "loss": _LOSS_ALIASES,
    "metrics": _LOSS_ALIASES
    | {
        "accuracy": "acc accuracy_score",
        "r2": "r2_score",
        "root_mean_squared_error": "rmse RootMeanSquaredError",
        "roc_auc": "auc auroc roc_auc_score",
    },
}
"""For some of these arguments: a name of funcnn, and those that mean the same elsewhere.

Capitals, ``_`` and whatever stands before a dot do not count here, either.
"""


def alias(argument: str, name: Any) -> Any:
    """The name that ``name`` is an alias of; ``name`` as it is, where it is none.

    >>> alias("loss", "nn.MSELoss"), alias("loss", "huber"), alias("loss", "nn.BCELoss")
    ('mean_squared_error', 'huber', 'nn.BCELoss')
    """
    return _answer(name, ALIASES[argument]) or name if isinstance(name, str) else name


def here(name: str, choices: Iterable[str], table: Table) -> tuple[list[str], str]:
    """What ``name`` is among ``choices``, and what else is to be said; both may be empty.

    >>> here("lr", ["learning_rate", "steps"], ARGUMENTS)
    (['learning_rate'], '')
    >>> here("Betas", ["beta1", "beta2"], ARGUMENTS)
    (['beta1 and beta2'], '')
    >>> here("early_stopping", ["patience"], ARGUMENTS)
    (['patience'], 'It is how many records in a row may pass without a better one.')
    """
    choices = set(choices)
    same, words = _answer(name, table.same), _answer(name, table.words)
    if not same:
        return [], words
    found = [answer for answer in same.split(" or ") if choices.issuperset(answer.split(" and "))]
    return found, words if found else ""


def spelt(name: str, choices: Iterable[str]) -> list[str]:
    """The first of ``choices`` that is ``name`` but for capitals, ``_`` and a prefix with a dot.

    >>> spelt("torch.optim.SGD", ["sgd", "adam"])
    ['sgd']
    """
    choices = list(choices)
    for wanted in _plain(name), _ending(name):
        for choice in choices:
            if wanted and wanted == _plain(choice):
                return [choice]
    return []


def _answer(name: str, answers: dict[str, str]) -> str:
    for answer, names in answers.items():
        if _ending(name) in map(_plain, names.split()):
            return answer
    return ""


def _ending(name: str) -> str:
    return _plain(name.rpartition(".")[2])


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))
