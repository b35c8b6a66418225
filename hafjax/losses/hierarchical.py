# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Losses that know the tree through the probabilities of its nodes.

Everything is computed from logarithms of probabilities, so that hopeless
examples keep their gradient, in O(N) operations an example. N nodes, K classes,
B examples; a `hierarchy` is a constant of the function that is compiled.

All raise LossError if shapes do not fit, a label is no class, or an option is
out of range. Where labels are traced, one that is no class has the loss NaN.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Integer, Num
import numpy as np
import optax

from hafjax.hierarchy import Hierarchy
from hafjax.losses import arguments
from hafjax.losses.errors import LossError
from hafjax.numerics import arrays
from hafjax.numerics import checks
from hafjax.numerics import tree_sums
from hafjax.numerics.arrays import ArrayLike
from hafjax.numerics.numbers import is_number

# --- Soft labels -------------------------------------------------------------


def soft_labels(
  distances: Num[ArrayLike, 'k k'], beta: float
) -> Float[np.ndarray, 'k k']:
  """Targets that spread over the classes near the label.

  Args:
    distances: between classes, [K, K].
    beta: sharpness, >= 0; 0 is the uniform distribution, where the published
      training script would switch to one-hot targets.

  Returns:
    float64[K, K]; column j is the target of class j and sums to 1. Bertinetto
    et al., CVPR 2020 (arXiv 1912.09393), section 3.2.

  Raises:
    LossError: if beta is negative or no number, or distances are not square.
  """
  checks.check_not_negative('beta', beta, LossError)
  distances = arrays.as_numpy(distances, np.float64)
  if distances.ndim != 2 or distances.shape[0] != distances.shape[1]:
    raise LossError(
      f'distances must be of shape [K, K], got {list(distances.shape)}.'
    )
  weights = np.exp(-beta * distances / distances.max())
  return weights / weights.sum(axis=0)


def soft_label_loss(
  logits: Float[ArrayLike, 'b k'],
  labels: Integer[ArrayLike, 'b'],
  table: Float[ArrayLike, 'k k'],
) -> Float[Array, 'b']:
  """Kullback-Leibler divergence of the prediction from soft labels.

  Args:
    logits: [B, K].
    labels: class indices, int[B].
    table: from `soft_labels`.

  Returns:
    float[B], summed over classes. The published code (arXiv 1912.09393) divides
    by K as well, through its library's default.
  """
  table = arrays.as_jax(table)
  if table.ndim != 2 or table.shape[0] != table.shape[1]:
    raise LossError(
      'table must be of shape [K, K], as `soft_labels` makes it, got '
      f'{list(table.shape)}.'
    )
  batch = arguments.batch(
    logits,
    labels,
    num_classes=len(table),
    width=len(table),
    name='logits',
    of=f'a table of shape {list(table.shape)}',
  )
  targets = table.T.astype(batch.values.dtype)[batch.labels]
  log_probs = jax.nn.log_softmax(batch.values)
  return batch.loss(optax.losses.kl_divergence(log_probs, targets))


# --- Along the path to the label ---------------------------------------------


def _of_classes(
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


def _along_path(
  values: Float[Array, 'b n'],
  labels: Int[Array, 'b'],
  hierarchy: Hierarchy,
) -> tuple[Float[Array, 'b l'], Bool[Array, 'b l']]:
  """Values at depths 0 to height of the labels' paths, and where there are."""
  nodes = jnp.asarray(hierarchy.path_table)[labels]
  found = jnp.take_along_axis(values, jnp.maximum(nodes, 0), axis=1)
  there = nodes >= 0
  return jnp.where(there, found, 0.0), there


def _on_path(
  labels: Int[Array, 'b'], hierarchy: Hierarchy
) -> Bool[Array, 'b n']:
  """Which nodes are on the labels' paths, bool[B, N]."""
  nodes = jnp.asarray(hierarchy.path_table)[labels]
  nodes = jnp.where(nodes < 0, hierarchy.num_nodes, nodes)
  rows = jnp.arange(len(nodes))[:, None]
  found = jnp.zeros((len(nodes), hierarchy.num_nodes), bool)
  return found.at[rows, nodes].set(True, mode='drop')


def _depth_weights(
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
  batch = _of_classes(logits, labels, hierarchy)
  sums = _node_log_sums(batch.values, hierarchy)
  path, there = _along_path(sums, batch.labels, hierarchy)
  steps = jnp.where(there[:, 1:], path[:, :-1] - path[:, 1:], 0.0)
  weights = _depth_weights(hierarchy, alpha, normalise)[1:]
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
  batch = _of_classes(logits, labels, hierarchy)
  sums = _node_log_sums(batch.values, hierarchy)
  path, there = _along_path(sums, batch.labels, hierarchy)
  log_probs = jnp.where(there, path - sums[:, :1], 0.0)
  above = hierarchy.node_depths[hierarchy.leaves][:, None] - np.arange(
    hierarchy.height + 1
  )
  weights = leaf_weight * (1 - leaf_weight) ** np.maximum(above, 0.0)
  weights = jnp.asarray(weights, path.dtype)[batch.labels]
  return batch.loss(-jnp.sum(weights * log_probs, axis=1))


# --- One logit per node ------------------------------------------------------


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
  path, _ = _along_path(conditionals, batch.labels, hierarchy)
  weights = _depth_weights(hierarchy, alpha, normalise)
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
  path, there = _along_path(batch.values - total, batch.labels, hierarchy)
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
