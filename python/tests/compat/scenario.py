"""Uses everything that quark-trace 0.1.0 offers, and prints what it saw: one line an observation.

Run by the interpreter of either version; `test_compat.py` compares the two.
"""

import logging
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import files  # noqa: E402
import over_http  # noqa: E402
import records  # noqa: E402
import sheets  # noqa: E402
import surface  # noqa: E402
from observe import Observer  # noqa: E402


def main():
    logging.disable(logging.CRITICAL)
    import warnings

    warnings.simplefilter("ignore")
    folder = os.path.realpath(tempfile.mkdtemp())
    os.environ["QUARK_TRACE_KEYS"] = os.path.join(folder, "keys")
    observer = Observer()
    observer.replacements[folder] = "<folder>"
    try:
        surface.run(observer)
        records.run(observer)
        sheets.run(observer, folder)
        files.run(observer, folder)
        over_http.run(observer)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
