"""`python -m bus_inspector`, and `bin/tandem-bus`."""

import sys

from bus_inspector.app import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
