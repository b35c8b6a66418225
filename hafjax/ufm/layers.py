# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Collapse of every layer, beside that of an exact minimiser."""

from collections.abc import Callable
import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
import numpy as np

from hafjax import collapse
from hafjax.ufm.closed_form import Minimum
from hafjax.ufm.closed_form import factors
from hafjax.ufm.closed_form import modes_of
from hafjax.ufm.model import Counts
from hafjax.ufm.model import Problem
from hafjax.ufm.model import labels_of


def predictions(
  class_counts: Counts, *args, **settings
) -> list[collapse.Prediction]:
  """The geometry of `minimum` at every layer's input, the features' first.

  Args:
    class_counts: class sizes, K integers, as large as they may be: nothing here
      grows with the number of examples.
    *args: what else `minimum` takes.
    **settings: likewise.

  Returns:
    For each of the M layers what it acts on, and what it and all layers above
    make of that.

  Raises:
    NoClosedForm: where no minimum is known.
    ValueError: if the settings are inconsistent.
  """
  problem = Problem.of(class_counts, *args, **settings)
  return _predictions(*factors(problem, modes_of(problem)))


def collapse_by_layer(
  exact: Minimum, class_counts: Counts
) -> Callable[..., dict[str, Float[Array, 'm']]]:
  """Measures of how near a point is to the geometry of a minimiser.

  Args:
    exact: the minimiser of M layers, unique but for rotations between layers.
    class_counts: class sizes, K integers.

  Returns:
    A function of a point (weights, features, bias), for the `measure` of
    `optimise`, that gives an array [M] of each measure, an entry for every
    layer's input (the features first), all 0 at the minimiser: 'nc1' of
    `collapse.nc1`, and those of `collapse.Prediction.gaps`. nan where all are
    zero. Dang et al., ICML 2023 (arXiv 2301.00437).
  """
  labels = labels_of(class_counts)
  first = np.unique(labels, return_index=True)[1]
  predicted = _predictions(exact.weights, exact.features[:, first])

  def measure(point):
    weights, features, _ = point
    found = []
    for (classifier, inputs), goal in zip(
      _layers(weights, features), predicted, strict=True
    ):
      stats = collapse.ClassStatistics.of(inputs.T, labels, len(first))
      gaps = goal.gaps(classifier, stats.means)
      found.append(dict(nc1=collapse.nc1(stats), **gaps))
    return jax.tree.map(lambda *values: jnp.stack(values), *found)

  return measure


def _predictions(weights, class_means) -> list[collapse.Prediction]:
  """Of float64 weights and class means, a column per class."""
  with jax.enable_x64(True):
    layers = jax.tree.map(np.asarray, _layers(weights, class_means))
  return [collapse.Prediction.of(above, below.T) for above, below in layers]


def _layers(weights, features):
  """For each layer the product of it and all above, and what it acts on."""
  product = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)
  below, above = [features], [weights[-1]]
  for matrix in weights[:-1]:
    below.append(product(matrix, below[-1]))
  for matrix in weights[-2::-1]:
    above.append(product(above[-1], matrix))
  return list(zip(above[::-1], below, strict=True))
