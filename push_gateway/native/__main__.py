"""`python -m push_gateway.native` compiles what is written in C, if there is a compiler and Python's header files.

Without them it says so, and the gateway does the same in Python: exit code 0. What does not compile is an error.
"""

import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from push_gateway.native import SOURCE, fingerprint

FLAGS = ("-std=gnu11", "-O2", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror")


def main() -> int:
    """Compile; says what came of it."""
    compiler, headers = shutil.which("cc"), Path(sysconfig.get_path("include"))
    missing = "C compiler `cc`" if compiler is None else None
    if not (headers / "Python.h").exists():
        missing = missing or "Python.h (on Debian in python3-dev)"
    if compiler is None or missing is not None:
        sys.stderr.write(f"There is no {missing}: the gateway reads events in Python, which takes more CPU.\n")
        return 0
    built = SOURCE.with_name(f"_arrivals{sysconfig.get_config_var('EXT_SUFFIX')}")
    unfinished = built.with_suffix(".new")
    files = [f"-I{headers}", "-o", str(unfinished), str(SOURCE)]
    command = [compiler, *FLAGS, f'-DFINGERPRINT="{fingerprint()}"', *files]
    compiling = subprocess.run(command, check=False)  # noqa: S603
    if compiling.returncode:
        sys.stderr.write(f"This failed: {shlex.join(command)}\n")
        return 1
    unfinished.replace(built)
    return 0


if __name__ == "__main__":
    sys.exit(main())
