# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Losses of one logit per node: conditional softmax and sigmoid, margins.

Everything is computed from logarithms of probabilities, so that hopeless
examples keep their gradient, in O(N) operations an example. N nodes, K classes,
B examples; a `hierarchy` is a constant of the function that is compiled.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Integer
import optax

from hafjax.hierarchy import Hierarchy
from hafjax.losses import arguments
from hafjax.losses.errors import LossError
from hafjax.losses.paths import along_path
from hafjax.losses.paths import depth_weights
from hafjax.numerics import arrays
from hafjax.numerics import checks
from hafjax.numerics import tree_sums
from hafjax.numerics.arrays import ArrayLike


def _of_nodes(
  node_logits: Any, labels: Any, hierarchy: Hierarchy
) -> arguments.Batch:
  """A batch with a logit for each node."""
  return arguments.batch(
    node_logits,
    labels,
    num_classes=hierarchy.num_classes,
    width=hierarchy.num_nodes,
    name='node_logits',
    of=f'a hierarchy of {hierarchy.num_nodes} nodes',
  )


def _checked_nodes(
  node_logits: Any, hierarchy: Hierarchy
) -> Float[Array, 'b n']:
  node_logits = arrays.as_jax(node_logits)
  arguments.check_matrix(
    node_logits,
    name='node_logits',
    width=hierarchy.num_nodes,
    of=f'a hierarchy of {hierarchy.num_nodes} nodes',
  )
  return node_logits


def _on_path(
  labels: Int[Array, 'b'], hierarchy: Hierarchy
) -> Bool[Array, 'b n']:
  """Which nodes are on the labels' paths, bool[B, N]."""
  nodes = jnp.asarray(hierarchy.path_table)[labels]
  nodes = jnp.where(nodes < 0, hierarchy.num_nodes, nodes)
  rows = jnp.arange(len(nodes))[:, None]
  found = jnp.zeros((len(nodes), hierarchy.num_nodes), bool)
  return found.at[rows, nodes].set(True, mode='drop')


def _log_conditionals(node_logits, hierarchy):
  """Softmax of each node among its siblings, as logarithms; 0 at the root."""
  parents, num_nodes = jnp.asarray(hierarchy.parents[1:]), hierarchy.num_nodes

  def over_siblings(reduce, values):
    return reduce(
      values.T, parents, num_segments=num_nodes, indices_are_sorted=True
    ).T[:, parents]

  logits = node_logits[:, 1:]
  shifted = logits - over_siblings(
    jax.ops.segment_max, jax.lax.stop_gradient(logits)
  )
  total = over_siblings(jax.ops.segment_sum, jnp.exp(shifted))
  return jnp.pad(shifted - jnp.log(total), ((0, 0), (1, 0)))


def conditional_softmax_loss(
  node_logits: Float[ArrayLike, 'b n'],
  labels: Integer[ArrayLike, 'b'],
  hierarchy: Hierarchy,
  alpha: float = 0.0,
  normalise: bool = True,
) -> Float[Array, 'b']:
  """Cross-entropy of a softmax among the children of each node.

  Args:
    node_logits: one per node in the hierarchy's order, [B, N]; the root's is
      ignored.
    labels: class indices, int[B].
    hierarchy: N nodes, ragged or not.
    alpha: decay with depth, as in `hierarchical_cross_entropy`.
    normalise: whether weights are divided by their sum over all N nodes, as
      published.

  Returns:
    float[B]. YOLO9000 (Redmon and Farhadi, CVPR 2017, arXiv 1612.08242), with
    the weights of Bertinetto et al., CVPR 2020 (arXiv 1912.09393).
  """
  checks.check_finite('alpha', alpha, LossError)
  batch = _of_nodes(node_logits, labels, hierarchy)
  conditionals = _log_conditionals(batch.values, hierarchy)
  path, _ = along_path(conditionals, batch.labels, hierarchy)
  weights = depth_weights(hierarchy, alpha, normalise)
  return batch.loss(-path @ jnp.asarray(weights, path.dtype))


def conditional_softmax_log_probs(
  node_logits: Float[ArrayLike, 'b n'], hierarchy: Hierarchy
) -> Float[Array, 'b k']:
  """Class log-probabilities, products along the path from the root.

  Args:
    node_logits: as in `conditional_softmax_loss`.
    hierarchy: N nodes, K classes.

  Returns:
    float[B, K], normalised.
  """
  node_logits = _checked_nodes(node_logits, hierarchy)
  conditionals = _log_conditionals(node_logits, hierarchy)
  return tree_sums.down(conditionals, hierarchy)[:, hierarchy.leaves]


def soft_max_descendant_loss(
  node_logits: Float[ArrayLike, 'b n'],
  labels: Integer[ArrayLike, 'b'],
  hierarchy: Hierarchy,
) -> Float[Array, 'b']:
  """Cross-entropy of one softmax over all nodes, for each node of the path.

  A node's probability is the softmax's sum over it and the nodes below it.

  Args:
    node_logits: one per node in the hierarchy's order, [B, N].
    labels: class indices, int[B].
    hierarchy: N nodes, ragged or not.

  Returns:
    float[B], summed over the path, the root included. Valmadre, NeurIPS 2022
    (arXiv 2210.10929), as in the loss `DescendantSoftmaxLoss` of its code.
  """
  batch = _of_nodes(node_logits, labels, hierarchy)
  total = jax.nn.logsumexp(batch.values, axis=1, keepdims=True)
  path, there = along_path(batch.values - total, batch.labels, hierarchy)
  return batch.loss(-jnp.sum(jnp.where(there, path, 0.0), axis=1))


def soft_max_margin_loss(
  node_logits: Float[ArrayLike, 'b n'],
  labels: Integer[ArrayLike, 'b'],
  hierarchy: Hierarchy,
  margin: str = 'distance',
  weight: float = 1.0,
) -> Float[Array, 'b']:
  """Cross-entropy of one softmax over all nodes, wrong ones given a start.

  log sum_n exp(z_n + weight C(y, n)) - z_y: the more wrong a node, the further
  its logit has to stay below the label's.

  Args:
    node_logits: one per node in the hierarchy's order, [B, N].
    labels: class indices, int[B].
    hierarchy: N nodes, ragged or not.
    margin: C: 'distance', the edges between label and node; or 'incorrect', 1
      for all nodes that are neither the label nor above it.
    weight: of the margin, >= 0.

  Returns:
    float[B]. Valmadre, NeurIPS 2022 (arXiv 2210.10929), soft margin.

  Raises:
    LossError: if there is no such margin, or the weight is negative.
  """
  if margin not in ('distance', 'incorrect'):
    raise LossError(
      f"margin must be 'distance' or 'incorrect', got {margin!r}."
    )
  checks.check_not_negative('weight', weight, LossError)
  batch = _of_nodes(node_logits, labels, hierarchy)
  node_logits, labels = batch.values, batch.labels
  path = _on_path(labels, hierarchy)
  leaves = jnp.asarray(hierarchy.leaves)[labels][:, None]
  if margin == 'distance':
    depths = jnp.asarray(hierarchy.node_depths)
    # Nodes shared by the ways from the root to the label and to the node.
    shared = tree_sums.down(path.astype(node_logits.dtype), hierarchy)
    cost = depths[leaves] + depths[None] - 2 * (shared - 1)
  else:
    cost = ~path
  raised = node_logits + weight * cost.astype(node_logits.dtype)
  chosen = jnp.take_along_axis(node_logits, leaves, axis=1)[:, 0]
  return batch.loss(jax.nn.logsumexp(raised, axis=1) - chosen)


def conditional_sigmoid_loss(
  node_logits: Float[ArrayLike, 'b n'],
  labels: Integer[ArrayLike, 'b'],
  hierarchy: Hierarchy,
) -> Float[Array, 'b']:
  """Binary cross-entropies: does each child of the path's nodes apply?

  Args:
    node_logits: of a node given its parent, in the hierarchy's order, [B, N];
      the root's is ignored.
    labels: class indices, int[B].
    hierarchy: N nodes, ragged or not.

  Returns:
    float[B], summed over the nodes whose parent is on the label's path. Brust
    and Denzler, 2019 (arXiv 1811.07125), as compared by Valmadre, NeurIPS 2022
    (arXiv 2210.10929).
  """
  batch = _of_nodes(node_logits, labels, hierarchy)
  path = _on_path(batch.labels, hierarchy)
  asked = path[:, hierarchy.parents[1:]]
  losses = optax.losses.sigmoid_binary_cross_entropy(
    batch.values[:, 1:], path[:, 1:].astype(batch.values.dtype)
  )
  return batch.loss(jnp.sum(jnp.where(asked, losses, 0.0), axis=1))


def conditional_sigmoid_log_probs(
  node_logits: Float[ArrayLike, 'b n'], hierarchy: Hierarchy
) -> Float[Array, 'b k']:
  """Log-probabilities of classes, each on its own: they need not sum to 1.

  Args:
    node_logits: as in `conditional_sigmoid_loss`.
    hierarchy: N nodes, K classes.
  """
  node_logits = _checked_nodes(node_logits, hierarchy)
  conditionals = jax.nn.log_sigmoid(node_logits).at[:, 0].set(0.0)
  return tree_sums.down(conditionals, hierarchy)[:, hierarchy.leaves]
