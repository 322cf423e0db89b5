"""Many modules of PyTorch, each trained here and in PyTorch's own loop.

``python -m funcnn.bench.modules`` prints the largest difference of any step's loss.
"""

__all__: list[str] = []
