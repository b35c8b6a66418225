# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Hierarchical ensembles (HiE): classes weighted by their ancestors."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32
import numpy as np

from hafjax.decisions.nodes import class_probs
from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import levels
from hafjax.numerics import arrays
from hafjax.numerics.arrays import ArrayLike


def coarse_labels(
  hierarchy: Hierarchy, level: int | None = None
) -> Int32[np.ndarray, 'k']:
  """Which coarse class each class belongs to, as `hie` counts them.

  Args:
    hierarchy: K classes.
    level: None for the parent of each class; or a depth, where a class less
      deep stands for itself.

  Returns:
    int32[K]: the index of the class's ancestor among the distinct ones, in
    order of first appearance by class, as `Hierarchy.level_labels(level)`.

  Raises:
    ValueError: if there is no such level.
  """
  if level is not None:
    return hierarchy.level_labels(level)
  return levels.parent_labels(hierarchy)


def hie(
  probs: Float[ArrayLike, 'b k'],
  hierarchy: Hierarchy,
  coarse: Float[ArrayLike, 'b m'] | None = None,
  level: int | None = None,
) -> Float[Array, 'b k']:
  """Probabilities of classes times those of their ancestors, normalised.

  Args:
    probs: of classes, [B, K]; half precision is raised to float32.
    hierarchy: K classes.
    coarse: probabilities of the M ancestors, [B, M], from a second model, in
      the order of `coarse_labels(hierarchy, level)`; by default the sums of
      `probs` over the classes under each.
    level: of the ancestors: None for parents, as published, or a depth.

  Returns:
    float[B, K], rows that sum to 1. Where all products are zero, for `probs`
    and `coarse` have nothing in common, `probs` stay as they are: our choice.
    HiE: Jain, Karthik and Gandhi, NeurIPS 2023 (arXiv 2302.00368), as in their
    code (kanji95/Hierarchical-Ensembles).

  Raises:
    ValueError: if there is no such level, or not a column for each class and
      each ancestor.
  """
  probs = class_probs(probs, hierarchy)
  labels = coarse_labels(hierarchy, level)
  num_labels = int(labels.max()) + 1
  if coarse is None:
    coarse = jax.ops.segment_sum(probs.T, labels, num_labels).T
  coarse = arrays.as_jax(coarse)
  if coarse.shape != (len(probs), num_labels):
    raise ValueError(
      f'coarse must be of shape [{len(probs)}, {num_labels}], a column for '
      f'each ancestor of the classes, got {list(coarse.shape)}.'
    )
  products = probs * coarse.astype(probs.dtype)[:, labels]
  total = jnp.sum(products, axis=1, keepdims=True)
  none = total < jnp.finfo(probs.dtype).tiny
  # Both branches of a where are differentiated: neither may divide by zero.
  return jnp.where(none, probs, products / jnp.where(none, 1.0, total))
