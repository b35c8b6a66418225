# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Collapse of every layer, beside that of an exact minimiser."""

from collections.abc import Callable, Sequence
import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
import numpy as np

from hafjax import collapse
from hafjax.ufm.closed_form import Minimum
from hafjax.ufm.model import labels_of


def collapse_by_layer(
  exact: Minimum, class_counts: Sequence[int]
) -> Callable[..., dict[str, Float[Array, 'm']]]:
  """Measures of how near a point is to the geometry of a minimiser.

  Args:
    exact: the minimiser of M layers, unique but for rotations between layers.
    class_counts: class sizes, K integers.

  Returns:
    A function of a point (weights, features, bias), for the `measure` of
    `optimise`, that gives an array [M] of each measure, an entry for every
    layer's input (the features first), all 0 at the minimiser: 'nc1' of
    `collapse.nc1`; 'nc2_means' and 'nc2_classifier', `collapse.nc2` of class
    means and classifier rows; 'nc3', `collapse.self_duality` (its distance) of
    the classifier and class means that are as long as its rows should be. nan
    where all are zero. Dang et al., ICML 2023 (arXiv 2301.00437), where the
    last is of W_M ... W_1 alone.

  Raises:
    ValueError: if the minimiser's classifier rows are not along its class means
      (a free bias, classes of unequal size).
  """
  labels = labels_of(class_counts)
  num_classes = len(class_counts)

  def targets_of(classifier, features):
    """Gram matrices of rows and class means, and ratios of their lengths."""
    first = np.unique(labels, return_index=True)[1]
    rows, means = np.asarray(classifier), np.asarray(features)[:, first].T
    lengths = np.linalg.norm(rows, axis=1), np.linalg.norm(means, axis=1)
    # A class that is collapsed has neither.
    ratios = np.divide(*lengths, out=0 * lengths[0], where=lengths[1] > 0)
    return rows @ rows.T, means @ means.T, ratios[:, None]

  def measure_layer(classifier, features, targets):
    rows_gram, means_gram, ratios = targets
    stats = collapse.ClassStatistics.of(features.T, labels, num_classes)
    means = stats.means
    return dict(
      nc1=collapse.nc1(stats),
      nc2_means=collapse.nc2(means, means_gram),
      nc2_classifier=collapse.nc2(classifier, rows_gram),
      nc3=collapse.self_duality(classifier, ratios * means, 'distance'),
    )

  with jax.enable_x64(True):
    layers = _layers(exact.weights, exact.features)
    targets = [targets_of(*layer) for layer in layers]
    if measure_layer(*layers[0], targets[0])['nc3'] > 1e-6:
      raise ValueError(
        "This minimiser's classifier rows are not along its class means: its "
        'collapse by layer needs no bias, or classes of equal size.'
      )

  def measure(point):
    weights, features, _ = point
    layers = _layers(weights, features)
    found = [
      measure_layer(*layer, goal)
      for layer, goal in zip(layers, targets, strict=True)
    ]
    return jax.tree.map(lambda *values: jnp.stack(values), *found)

  return measure


def _layers(weights, features):
  """For each layer the product of it and all above, and what it acts on."""
  product = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)
  below, above = [features], [weights[-1]]
  for matrix in weights[:-1]:
    below.append(product(matrix, below[-1]))
  for matrix in weights[-2::-1]:
    above.append(product(above[-1], matrix))
  return list(zip(above[::-1], below, strict=True))
