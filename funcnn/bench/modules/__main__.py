"""``python -m funcnn.bench.modules [NAME ...]``: the table of all modules, or of those named."""

import sys

from funcnn.bench.modules.table import print_table

print_table(sys.argv[1:])
