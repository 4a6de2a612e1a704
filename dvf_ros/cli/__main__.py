"""`python -m dvf_ros.cli` is `dvf`."""

import sys

from dvf_ros.cli.main import main

sys.exit(main())
