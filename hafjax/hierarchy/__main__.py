# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""python -m hafjax.hierarchy"""

import sys

from hafjax.hierarchy import cli

if __name__ == '__main__':
  sys.exit(cli.main())
