# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Probabilities of nodes, and how much a node says as an answer."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Integer
import numpy as np

from hafjax.hierarchy import Hierarchy
from hafjax.numerics import arrays
from hafjax.numerics import tree_sums
from hafjax.numerics.arrays import ArrayLike
from hafjax.numerics.vectors import at_least_float32


def node_probabilities(
  probs: Float[ArrayLike, 'b k'], hierarchy: Hierarchy
) -> Float[Array, 'b n']:
  """The probability of every node, the sum over its classes.

  Args:
    probs: of classes, [B, K]; half precision is raised to float32.
    hierarchy: N nodes, K classes.

  Returns:
    float[B, N], in the hierarchy's order of nodes.

  Raises:
    ValueError: if there is not a column for each class.
  """
  leaves = tree_sums.on_leaves(class_probs(probs, hierarchy), hierarchy)
  return tree_sums.up(leaves, hierarchy)


def class_probs(probs, hierarchy):
  """`probs` as an array of float32 at least, of the hierarchy's width."""
  probs, num_classes = arrays.as_jax(probs), hierarchy.num_classes
  if probs.ndim != 2 or probs.shape[1] != num_classes:
    raise ValueError(
      f'probs must be of shape [B, {num_classes}], a column for each class of '
      f'the hierarchy, got {list(probs.shape)}.'
    )
  return at_least_float32(probs)


def hierarchical_coverage(
  nodes: Integer[ArrayLike, '*b'], hierarchy: Hierarchy
) -> Float[Array, '*b']:
  """How much an answer says: 1 - log(classes under the node) / log(K).

  Args:
    nodes: of the hierarchy, ints of any shape.
    hierarchy: K classes; where K is 1, all that there is to say is said.

  Returns:
    float, of the shape of `nodes`: 1 at a leaf, 0 at the root. Goren, Galil and
    El-Yaniv, NeurIPS 2024 (arXiv 2405.11533), as in their code: the entropy
    that is left, over that of all classes, none likelier than others.
  """
  table = hierarchy.path_table
  counts = np.bincount(table[table >= 0], minlength=hierarchy.num_nodes)
  coverage = 1 - np.log(counts) / np.log(max(hierarchy.num_classes, 2))
  return jnp.asarray(coverage, jnp.result_type(float))[arrays.as_jax(nodes)]
