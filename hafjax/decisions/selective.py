# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Selective classification: the deepest node that is certain enough."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32, Integer, Num
import numpy as np

from hafjax.decisions.nodes import class_probs
from hafjax.decisions.nodes import hierarchical_coverage
from hafjax.decisions.nodes import node_probabilities
from hafjax.hierarchy import Hierarchy
from hafjax.numerics import arrays
from hafjax.numerics import checks
from hafjax.numerics.arrays import ArrayLike

# Relative rounding errors that a threshold lets pass, in machine epsilons. With
# 10 to 100,000 classes, a softmax and its sum in float32 were off by 7 at most.
_SLACK = 32


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
  probs = class_probs(probs, hierarchy)
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
  probs, labels = class_probs(probs, hierarchy), arrays.as_jax(labels)
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
