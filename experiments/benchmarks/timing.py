# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Times that can be compared: of calls that take turns, in one run."""

import time

import jax


def best_seconds(functions, repetitions: int = 7):
  """Least time of each call, taking turns; the first round compiles."""
  best = [float('inf')] * len(functions)
  for repetition in range(repetitions + 1):
    for i, function in enumerate(functions):
      start = time.perf_counter()
      jax.block_until_ready(function())
      if repetition:
        best[i] = min(best[i], time.perf_counter() - start)
  return best
