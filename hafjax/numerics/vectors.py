# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Norms and directions of rows."""

import jax.numpy as jnp
from jaxtyping import Array, Float

# The published code's floor on norms, below which a feature has no direction.
_MIN_NORM = 1e-8


def unit(features: Float[Array, '*b d']) -> Float[Array, '*b d']:
  """Features divided by their norm; the zero vector stays zero.

  Args:
    features: [..., d]; half precision is raised to float32.

  Returns:
    float[..., d], rows of norm 1 (0 for zero rows, whose gradient is finite).
  """
  features = at_least_float32(features)
  return features / norm(features)


def at_least_float32(features):
  """Half precision raised to float32, all else as it is."""
  return features.astype(jnp.promote_types(features.dtype, jnp.float32))


def norm(features):
  """Norms of rows, [..., 1], not below a floor, where they have no gradient."""
  square = jnp.sum(features**2, axis=-1, keepdims=True)
  tiny = square < _MIN_NORM**2
  # Both branches of a where are differentiated: neither may divide by zero.
  return jnp.where(tiny, _MIN_NORM, jnp.sqrt(jnp.where(tiny, 1.0, square)))
