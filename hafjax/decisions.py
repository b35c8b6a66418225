# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Inference rules: from any method's class probabilities to decisions.

They know the tree and nothing of how the probabilities were made. K classes, N
nodes, B examples; a `hierarchy` is a constant of the function that is compiled.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32, Integer, Num
import numpy as np

from hafjax.hierarchy import KINDS
from hafjax.hierarchy import Hierarchy
from hafjax.numerics import arrays
from hafjax.numerics import checks
from hafjax.numerics import tree_sums
from hafjax.numerics.arrays import ArrayLike
from hafjax.numerics.vectors import at_least_float32

# Relative rounding errors that a threshold lets pass, in machine epsilons. With
# 10 to 100,000 classes, a softmax and its sum in float32 were off by 7 at most.
_SLACK = 32


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
  leaves = tree_sums.on_leaves(_class_probs(probs, hierarchy), hierarchy)
  return tree_sums.up(leaves, hierarchy)


def _class_probs(probs, hierarchy):
  """`probs` as an array of float32 at least, of the hierarchy's width."""
  probs, num_classes = arrays.as_jax(probs), hierarchy.num_classes
  if probs.ndim != 2 or probs.shape[1] != num_classes:
    raise ValueError(
      f'probs must be of shape [B, {num_classes}], a column for each class of '
      f'the hierarchy, got {list(probs.shape)}.'
    )
  return at_least_float32(probs)


# --- Least risk --------------------------------------------------------------


def crm(
  probs: Float[ArrayLike, 'b k'], cost: Num[ArrayLike, 'k k']
) -> Float[Array, 'b k']:
  """Minus the risk of each answer, given the probabilities of the classes.

  The risk of answering c is sum_i p_i cost[i, c].

  Args:
    probs: of classes, [B, K]; half precision is raised to float32.
    cost: of answers, [K, K], a row for each true class.

  Returns:
    float[B, K], larger for better answers. CRM: Karthik et al., ICLR 2021
    (arXiv 2104.00795), equation for the conditional risk.

  Raises:
    ValueError: if the shapes do not fit.
  """
  probs, cost = arrays.as_jax(probs), arrays.as_jax(cost)
  if probs.ndim != 2 or cost.shape != (probs.shape[1],) * 2:
    raise ValueError(
      'probs must be of shape [B, K] and cost of shape [K, K], got '
      f'{list(probs.shape)} and {list(cost.shape)}.'
    )
  probs = at_least_float32(probs)
  # Many risks differ by little: accelerators' short products would reorder
  # them.
  return -jnp.matmul(
    probs, cost.astype(probs.dtype), precision=jax.lax.Precision.HIGHEST
  )


def crm_tree(
  probs: Float[ArrayLike, 'b k'],
  hierarchy: Hierarchy,
  kind: str = 'lca_height',
) -> Float[Array, 'b k']:
  """`crm` with the costs `hierarchy.distances(kind)`, in O(N) an example.

  With v(n) the distance of two classes that part at n, and 0 at leaves, the
  risk of c is P(root) v(root) less the sum, over the nodes n below the root on
  the path to c, of P(n) (v(parent of n) - v(n)).

  Args:
    probs: of classes, [B, K]; half precision is raised to float32.
    hierarchy: N nodes, K classes; its table of distances is not made.
    kind: of distances, see `Hierarchy.distances`.

  Returns:
    float[B, K], larger for better answers; equal risks of classes that are not
    siblings are equal up to rounding. Karthik et al., ICLR 2021 (arXiv
    2104.00795); the sum along the path is ours.

  Raises:
    ValueError: if there is not a column for each class, or no such kind.
  """
  if kind not in KINDS:
    raise ValueError(f'kind must be one of {", ".join(KINDS)}, got {kind!r}.')
  masses = node_probabilities(probs, hierarchy)
  values = hierarchy.node_heights.copy()
  if kind == 'lca_depth':
    values = hierarchy.height - hierarchy.node_depths
    values[hierarchy.leaves] = 0
  gains = values[hierarchy.parents] - values
  gains[0] = -values[0]
  gains = gains.astype(masses.dtype)[None]
  scores = tree_sums.down(masses * gains, hierarchy)
  return scores[:, hierarchy.leaves]


# --- Two levels that agree ---------------------------------------------------


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
  parents = hierarchy.parents[hierarchy.leaves]
  _, first, labels = np.unique(parents, return_index=True, return_inverse=True)
  return np.argsort(np.argsort(first)).astype(np.int32)[labels]


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
  probs = _class_probs(probs, hierarchy)
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


# --- As deep as is certain ---------------------------------------------------


def selective(
  probs: Float[ArrayLike, 'b k'],
  hierarchy: Hierarchy,
  threshold: float | Num[ArrayLike, ''],
) -> Int32[Array, 'b']:
  """The nearest node that is certain enough, at the most likely class or above.

  Args:
    probs: of classes, [B, K]; half precision is raised to float32. Among equal
      ones the lower class index is the most likely.
    hierarchy: N nodes, K classes.
    threshold: the least probability of an answer, in [0, 1], up to rounding: 0
      gives the most likely class, 1 the lowest node that has it all. The root
      always is an answer.

  Returns:
    Nodes, int32[B]. The rule 'Climbing' of Goren, Galil and El-Yaniv, NeurIPS
    2024 (arXiv 2405.11533).

  Raises:
    ValueError: if there is not a column for each class, or the threshold is no
      number in [0, 1] (which is not seen where it is traced).
  """
  threshold = _checked_thresholds(threshold, 'threshold', 0)
  path, masses = _likeliest_path(probs, hierarchy)
  depths = _reached(masses, threshold)
  return jnp.take_along_axis(path, depths[:, None], axis=1)[:, 0]


def _checked_thresholds(thresholds, name, ndim):
  """Thresholds as an array."""
  wanted = ['a number', 'an array of numbers'][ndim]
  try:
    values = np.asarray(thresholds)
  except jax.errors.TracerArrayConversionError:
    values = np.zeros(thresholds.shape)  # What they are, nobody knows yet.
  bad = values[~((values >= 0) & (values <= 1))]
  if values.ndim != ndim or not values.size or bad.size:
    found = bad[0] if values.ndim == ndim and bad.size else thresholds
    raise ValueError(f'{name} must be {wanted} in [0, 1], got {found}.')
  return jnp.asarray(thresholds)


def _likeliest_path(probs, hierarchy):
  """Nodes from the root to the most likely class, and their probabilities.

  Returns: int32[B, height + 1], float[B, height + 1]; -1 and minus infinity
  below a class that is less deep.
  """
  probs = _class_probs(probs, hierarchy)
  masses = node_probabilities(probs, hierarchy)
  path = jnp.asarray(hierarchy.path_table)[jnp.argmax(probs, axis=1)]
  found = jnp.take_along_axis(masses, jnp.maximum(path, 0), axis=1)
  return path, jnp.where(path >= 0, found, -jnp.inf)


def _reached(masses, threshold):
  """The greatest depth where a path has the probability, int32[B]."""
  rounding = _SLACK * jnp.finfo(masses.dtype).eps
  enough = masses >= threshold.astype(masses.dtype) * (1 - rounding)
  depths = jnp.arange(masses.shape[1], dtype=jnp.int32)
  return jnp.max(jnp.where(enough, depths, 0), axis=1)


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


def selective_curve(
  probs: Float[ArrayLike, 'b k'],
  labels: Integer[ArrayLike, 'b'],
  hierarchy: Hierarchy,
  thresholds: Num[ArrayLike, 't'] | Sequence[float],
  mask: Bool[ArrayLike, 'b'] | None = None,
) -> dict[str, Float[Array, 't']]:
  """What `selective` answers at several thresholds, and how often it is right.

  An answer is right if it is the label's leaf or above it.

  Args:
    probs: of classes, [B, K], as for `selective`.
    labels: class indices, int[B].
    hierarchy: N nodes, K classes.
    thresholds: [T], in [0, 1], in any order; 0, 1 and many in between for a
      whole curve.
    mask: which examples count, bool[B]; all by default.

  Returns:
    Arrays float[T]: 'threshold'; 'coverage', the mean of
    `hierarchical_coverage`; 'accuracy', the share of right answers; 'risk', of
    wrong ones, among all that count; 'depth', the mean depth. Where the
    threshold grows, none of coverage, risk and depth does. Goren, Galil and
    El-Yaniv, NeurIPS 2024 (arXiv 2405.11533), as in their code.

  Raises:
    ValueError: if there is not a column for each class or a label for each
      example, there are no examples, a label is no class, or thresholds are not
      in [0, 1] (which is not seen where they are traced).
  """
  thresholds = _checked_thresholds(thresholds, 'thresholds', 1)
  probs, labels = _class_probs(probs, hierarchy), arrays.as_jax(labels)
  if not len(probs) or labels.shape != probs.shape[:1]:
    raise ValueError(
      'labels must be of shape [B], one for each row of probs, of which there '
      f'is one at least, got {list(labels.shape)} for {len(probs)} rows.'
    )
  checks.check_labels(labels, hierarchy.num_classes)
  path, masses = _likeliest_path(probs, hierarchy)
  mask = jnp.ones(len(path), bool) if mask is None else arrays.as_jax(mask)
  right = path == jnp.asarray(hierarchy.path_table)[labels]
  coverage = hierarchical_coverage(path, hierarchy).astype(masses.dtype)

  # One after the other, or B x T values would be held at once.
  def at(threshold):
    depths = _reached(masses, threshold)

    def mean(values):
      found = jnp.take_along_axis(values, depths[:, None], axis=1)[:, 0]
      return found.mean(where=mask)

    return dict(
      threshold=threshold.astype(masses.dtype),
      coverage=mean(coverage),
      accuracy=mean(right.astype(masses.dtype)),
      risk=mean((~right).astype(masses.dtype)),
      depth=depths.astype(masses.dtype).mean(where=mask),
    )

  return jax.lax.map(at, thresholds)


def area_under_risk_coverage(
  coverage: Float[ArrayLike, 't'], risk: Float[ArrayLike, 't']
) -> Float[Array, '']:
  """The area under the curve of risk over coverage: hAURC, smaller is better.

  Args:
    coverage: [T], from `selective_curve`, in any order.
    risk: [T], likewise.

  Returns:
    float[], by the trapezoidal rule, from coverage 0 to the largest one. Goren,
    Galil and El-Yaniv, NeurIPS 2024 (arXiv 2405.11533); their code begins at
    the least coverage that occurs. We begin at coverage and risk 0, where all
    answers are the root: otherwise a model that is certain of everything would
    have no area, right or wrong. What lies between can be had by answering the
    root at random.

  Raises:
    ValueError: if the two are not as long, or empty.
  """
  coverage, risk = arrays.as_jax(coverage), arrays.as_jax(risk)
  if coverage.ndim != 1 or not coverage.size or coverage.shape != risk.shape:
    raise ValueError(
      'coverage and risk must be of the same shape [T], T >= 1, got '
      f'{list(coverage.shape)} and {list(risk.shape)}.'
    )
  order = jnp.argsort(coverage)
  return jnp.trapezoid(
    jnp.pad(risk[order], (1, 0)), jnp.pad(coverage[order], (1, 0))
  )
