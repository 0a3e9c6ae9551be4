"""``python -m seqmdn`` is the command ``seqmdn``."""

from seqmdn.cli import main

main()
