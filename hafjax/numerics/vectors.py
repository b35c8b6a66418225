# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Norms and directions of rows."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from hafjax.numerics import arrays

# The published code's floor on norms, below which a feature has no direction.
_MIN_NORM = 1e-8


def unit(features: Float[arrays.ArrayLike, '*b d']) -> Float[Array, '*b d']:
  """Features divided by their norm; the zero vector stays zero.

  Args:
    features: [..., d]; half precision is raised to float32.

  Returns:
    float[..., d], rows of norm 1. A row whose norm is under 1e-8 has no
    direction: it is divided by 1e-8, and has gradient zero.
  """
  features = at_least_float32(arrays.as_jax(features))
  return divided(features, norm(features))


def at_least_float32(features: Array) -> Array:
  """Half precision raised to float32, all else as it is."""
  return features.astype(jnp.promote_types(features.dtype, jnp.float32))


def norm(features: Float[Array, '*b d']) -> Float[Array, '*b 1']:
  """Norms of rows, not below a floor of 1e-8, where they have no gradient."""
  square = jnp.sum(features**2, axis=-1, keepdims=True)
  tiny = square < _MIN_NORM**2
  # Both branches of a where are differentiated: neither may divide by zero.
  return jnp.where(tiny, _MIN_NORM, jnp.sqrt(jnp.where(tiny, 1.0, square)))


def divided(values: Array, norms: Array) -> Array:
  """Quotients by norms, without a gradient (of 1e8) at the norms' floor.

  Args:
    values: linear in the features.
    norms: `norm` of the same features, of a shape that broadcasts.
  """
  quotients = values / norms
  fixed = jax.lax.stop_gradient(quotients)
  return jnp.where(norms <= _MIN_NORM, fixed, quotients)
