# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0

import beartype

# An int is a float, as it is to type checkers (PEP 484).
_CONFIG = beartype.BeartypeConf(is_pep484_tower=True)


def checked(function):
  """Checks annotations in each call: see pyproject.toml, `addopts`."""
  # Pytrees hold whatever JAX puts in place of arrays: shapes, shardings, None.
  if function.__name__ == '__init__':
    return function
  return beartype.beartype(conf=_CONFIG)(function)
