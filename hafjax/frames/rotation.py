# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Frames turned towards where the features are."""

import jax
import jax.numpy as jnp
from jaxtyping import Float
import numpy as np

from hafjax.frames.distances import FrameError
from hafjax.numerics import arrays
from hafjax.numerics import checks
from hafjax.numerics.arrays import AnyArray
from hafjax.numerics.arrays import ArrayLike


def nearest_rotation(
  frame: Float[ArrayLike, 'k r'],
  class_means: Float[ArrayLike, 'k d'],
  previous: Float[ArrayLike, 'd r'] | None = None,
  delta: float = 0.0,
  scale: float = 1.0,
) -> Float[AnyArray, 'd r']:
  """The Q for which `frame @ Q.T` is the copy nearest to the class means.

  Minimises |M - a W Q^T|_F^2 + (delta / 2) |Q - Q0|_F^2 over orthonormal
  columns, where the cost is linear: the polar factor of 2 a M^T W + delta Q0
  (orthogonal Procrustes), by the SVD, which keeps Q orthonormal to rounding in
  any precision. For the simplex ETF it is the closed form of what "Guiding
  Neural Collapse" (Markou et al., NeurIPS 2024, arXiv 2411.01248) solves by
  iterations. Pure and jit-able; computed in NumPy for NumPy arrays.

  Args:
    frame: W, [K, r].
    class_means: M, [K, d], d >= r.
    previous: Q0, [d, r]; needed where delta is not 0.
    delta: weight of staying near Q0, at least 0.
    scale: a > 0, the length of the frame's vectors beside the means; it only
      matters together with delta.

  Returns:
    Q, [d, r], Q^T Q = 1. Directions that the means say nothing about (a simplex
    ETF with r = K has one) are free, and do not change `frame @ Q.T`.

  Raises:
    FrameError: if the shapes do not fit, delta comes without previous, or
      delta is negative or scale not positive.
  """
  checks.check_not_negative('delta', delta, FrameError)
  checks.check_positive('scale', scale, FrameError)
  frame, class_means = arrays.as_array(frame), arrays.as_array(class_means)
  if frame.ndim != 2 or class_means.ndim != 2 or len(frame) != len(class_means):
    raise FrameError(
      'Frame and class means must have a row per class, got shapes '
      f'{frame.shape} and {class_means.shape}.'
    )
  if class_means.shape[1] < frame.shape[1]:
    raise FrameError(
      f'A frame of {frame.shape[1]} dimensions does not fit into '
      f'{class_means.shape[1]}.'
    )
  if previous is None and (isinstance(delta, jax.Array) or delta):
    raise FrameError('delta is the weight of `previous`, which is missing.')
  product = 2 * scale * class_means.T @ frame
  if previous is not None:
    previous = arrays.as_array(previous)
    if previous.shape != product.shape:
      raise FrameError(
        f'previous must be of shape {list(product.shape)}, got '
        f'{list(previous.shape)}.'
      )
    product = product + delta * previous
  xp = jnp if isinstance(product, jax.Array) else np
  left, _, right = xp.linalg.svd(product, full_matrices=False)
  return left @ right
