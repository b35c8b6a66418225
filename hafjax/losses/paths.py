# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Losses along the path to the label: HXE and HACE.

Nodes have the sums of the classes' probabilities under them. Everything is
computed from logarithms of probabilities, so that hopeless examples keep their
gradient, in O(N) operations an example. N nodes, K classes, B examples; a
`hierarchy` is a constant of the function that is compiled.
"""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Integer
import numpy as np

from hafjax.hierarchy import Hierarchy
from hafjax.losses import arguments
from hafjax.losses.errors import LossError
from hafjax.numerics import checks
from hafjax.numerics import tree_sums
from hafjax.numerics.arrays import ArrayLike
from hafjax.numerics.numbers import is_number


def of_classes(
  logits: Any, labels: Any, hierarchy: Hierarchy
) -> arguments.Batch:
  """A batch with a logit for each class."""
  return arguments.batch(
    logits,
    labels,
    num_classes=hierarchy.num_classes,
    width=hierarchy.num_classes,
    name='logits',
    of=f'a hierarchy of {hierarchy.num_classes} classes',
  )


def along_path(
  values: Float[Array, 'b n'],
  labels: Int[Array, 'b'],
  hierarchy: Hierarchy,
) -> tuple[Float[Array, 'b l'], Bool[Array, 'b l']]:
  """Values at depths 0 to height of the labels' paths, and where there are."""
  nodes = jnp.asarray(hierarchy.path_table)[labels]
  found = jnp.take_along_axis(values, jnp.maximum(nodes, 0), axis=1)
  there = nodes >= 0
  return jnp.where(there, found, 0.0), there


def depth_weights(
  hierarchy: Hierarchy, alpha: float, normalise: bool
) -> np.ndarray:
  """exp(-alpha depth) for depths 0 to height, over the sum of all nodes'."""
  weights = np.exp(-alpha * np.arange(hierarchy.height + 1))
  if normalise:
    weights /= weights[hierarchy.node_depths].sum()
  return weights


def _node_log_sums(logits, hierarchy):
  """Logarithm of the summed exponentials of the classes under each node."""
  return tree_sums.log_up(
    tree_sums.on_leaves(logits, hierarchy, fill=-jnp.inf), hierarchy
  )


def hierarchical_cross_entropy(
  logits: Float[ArrayLike, 'b k'],
  labels: Integer[ArrayLike, 'b'],
  hierarchy: Hierarchy,
  alpha: float,
  normalise: bool = True,
) -> Float[Array, 'b']:
  """Cross-entropy, with each step of the path to the label weighed.

  The sum over the path's edges of w(n) (log p(parent of n) - log p(n)), where
  p(n) sums the softmax over the classes under n and w(n) decays as
  exp(-alpha depth of n): for alpha > 0, coarse mistakes cost most.

  Args:
    logits: [B, K].
    labels: class indices, int[B].
    hierarchy: N nodes; a class right below the root is fine here, where the
      published code fails.
    alpha: decay; 0 is plain cross-entropy, up to the factor of `normalise`.
    normalise: whether weights are divided by their sum over all N nodes, as
      published; it scales the loss by 1 / N or so.

  Returns:
    float[B]. HXE: Bertinetto et al., CVPR 2020 (arXiv 1912.09393).
  """
  checks.check_finite('alpha', alpha, LossError)
  batch = of_classes(logits, labels, hierarchy)
  sums = _node_log_sums(batch.values, hierarchy)
  path, there = along_path(sums, batch.labels, hierarchy)
  steps = jnp.where(there[:, 1:], path[:, :-1] - path[:, 1:], 0.0)
  weights = depth_weights(hierarchy, alpha, normalise)[1:]
  return batch.loss(steps @ jnp.asarray(weights, steps.dtype))


def hace_loss(
  logits: Float[ArrayLike, 'b k'],
  labels: Integer[ArrayLike, 'b'],
  hierarchy: Hierarchy,
  leaf_weight: float = 0.7,
) -> Float[Array, 'b']:
  """Cross-entropy over all nodes, between summed probabilities and a path.

  The prediction of a node sums the softmax over the classes under it; the
  target gives the label's leaf the weight w = `leaf_weight`, its parent
  w (1 - w), the next w (1 - w)^2, and so on. What is left is the root's, which
  is certain anyway.

  Args:
    logits: [B, K].
    labels: class indices, int[B].
    hierarchy: N nodes, ragged or not.
    leaf_weight: w, in (0, 1]; 1 is cross-entropy.

  Returns:
    float[B]. HACE: Chan, D'Ascenzo and Cultrera di Montesano, 2026 (arXiv
    2605.06274), with the weights of their code for FGVC-Aircraft. Theirs for
    CIFAR-100 has a tree of two levels without a root, whose upper node takes
    all that the leaf leaves, 1 - w. We leave out the 1e-6 that they add to
    probabilities.

  Raises:
    LossError: if the weight is not in (0, 1].
  """
  if not is_number(leaf_weight) or not 0 < leaf_weight <= 1:
    raise LossError(f'leaf_weight must be in (0, 1], got {leaf_weight!r}.')
  batch = of_classes(logits, labels, hierarchy)
  sums = _node_log_sums(batch.values, hierarchy)
  path, there = along_path(sums, batch.labels, hierarchy)
  log_probs = jnp.where(there, path - sums[:, :1], 0.0)
  above = hierarchy.node_depths[hierarchy.leaves][:, None] - np.arange(
    hierarchy.height + 1
  )
  weights = leaf_weight * (1 - leaf_weight) ** np.maximum(above, 0.0)
  weights = jnp.asarray(weights, path.dtype)[batch.labels]
  return batch.loss(-jnp.sum(weights * log_probs, axis=1))
