# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""How programs are compiled on the platform at hand."""

import functools

import jax

# XLA's newer CPU kernels take convolutions away from Eigen's, which use all
# cores: without them whole steps are 1.2 to 2 times as fast, kernel gradients 2
# to 4 times (experiments/benchmarks/conv.py, JAX 0.10.2, two cores).
_CPU_OPTIONS = {'xla_cpu_experimental_ynn_fusion_type': ''}


@functools.cache
def options() -> dict[str, str]:
  """Compiler options for `jax.jit`, empty where the platform needs none."""
  if jax.default_backend() != 'cpu':
    return {}
  probe = jax.jit(lambda x: x, compiler_options=_CPU_OPTIONS)
  try:
    probe.lower(0.0).compile()
  except jax.errors.JaxRuntimeError:
    return {}  # An experimental option, which a release may drop.
  return _CPU_OPTIONS
