# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Another name of `python -m hafjax.compare`."""

from hafjax import compare
from hafjax.cli import runner

if __name__ == '__main__':
  runner.run(compare.compare)
