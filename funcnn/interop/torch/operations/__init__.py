"""The ATen operations of PyTorch in jax.numpy, by the names of their packets.

Only values are computed here: gradients are traced from PyTorch, as operations of their own.
What is missing is taken apart by PyTorch's own decompositions, or refused by its name.
"""

import operator
from collections.abc import Callable
from typing import Any

from funcnn.interop.torch.operations.algebra import ALGEBRA
from funcnn.interop.torch.operations.convolution import CONVOLUTIONS
from funcnn.interop.torch.operations.creation import CREATION
from funcnn.interop.torch.operations.dtypes import python_number
from funcnn.interop.torch.operations.indexing import INDEXING
from funcnn.interop.torch.operations.losses import LOSSES
from funcnn.interop.torch.operations.normalization import NORMALIZATIONS
from funcnn.interop.torch.operations.pointwise import POINTWISE
from funcnn.interop.torch.operations.pooling import POOLING
from funcnn.interop.torch.operations.randomness import RANDOM, WHERE_IT_IS_SAID
from funcnn.interop.torch.operations.recurrence import RECURRENCE
from funcnn.interop.torch.operations.reductions import REDUCTIONS
from funcnn.interop.torch.operations.resizing import RESIZING
from funcnn.interop.torch.operations.sampling import SAMPLING
from funcnn.interop.torch.operations.shapes import SHAPES

__all__ = ["OPERATIONS", "RANDOM", "WHERE_IT_IS_SAID"]

OPERATIONS: dict[str, Callable[..., Any]] = {
    "_local_scalar_dense": python_number,
    "getitem": operator.getitem,
    **POINTWISE,
    **REDUCTIONS,
    **SHAPES,
    **INDEXING,
    **CREATION,
    **ALGEBRA,
    **CONVOLUTIONS,
    **POOLING,
    **NORMALIZATIONS,
    **RESIZING,
    **LOSSES,
    **SAMPLING,
    **RECURRENCE,
    **RANDOM,
}
