"""The benchmark: funcnn beside the libraries that train the same networks.

``tasks`` says what is measured, ``peers`` by whom, ``timing`` how.
"""

from funcnn.bench.benchmarking import benchmark

__all__ = ["benchmark"]
