# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Exact minimisers of the unconstrained-features model."""

from typing import NamedTuple

from jaxtyping import Bool, Float
import numpy as np

from hafjax.numerics.arrays import ArrayLike
from hafjax.ufm.cross_entropy import cross_entropy_modes
from hafjax.ufm.model import Counts
from hafjax.ufm.model import Decays
from hafjax.ufm.model import Problem
from hafjax.ufm.modes import Modes
from hafjax.ufm.modes import squared_error_modes


class Minimum(NamedTuple):
  """A global minimiser; float64. K classes, M layers, N samples.

  Logits have K singular modes, and so has every layer: entries of all arrays
  of K singular values are of the same mode.

  Attributes:
    objective: its value.
    status: 'proved'; or 'search', where it is the best that extensive searches
      have found.
    mode_order: what the modes are: 'class' (mode k is class k alone),
      'descending' (by singular value), or 'centred_descending_then_mean' (K - 1
      that sum to zero over classes, then the constant one).
    singular_values: of the logits W_M ... W_1 H (without the bias), [K].
    collapsed: which modes are zero, bool[K].
    collapse_at: for each mode the product of all decays but the bias's from
      which on it is zero, [K]; 0 where it is zero for any, nan where the
      threshold is not known.
    layer_singular_values: of W_1 to W_M, [M, K].
    feature_singular_values: of the features, [K].
    logit_means: W_M ... W_1 applied to the class means, without the bias, a
      column per class, [K, K].
    classifier_gram: of the rows of W_M ... W_1, [K, K].
    class_mean_gram: of the features' class means, [K, K].
    weights: W_1 to W_M, [d_l, d_{l-1}]; of the many minimisers that differ by
      rotations between layers, one whose modes are axes.
    features: [d_0, N], a column per sample, grouped by class.
    bias: [K], or None. Under cross-entropy, any constant may be added to a free
      one.

  Where widths cut between classes of equal size, or antipodal pairs win
  (cross-entropy, status 'search'), the Grams and logits are those of this
  minimiser; others have different ones.
  """

  objective: float
  status: str
  mode_order: str
  singular_values: Float[np.ndarray, 'k']
  collapsed: Bool[np.ndarray, 'k']
  collapse_at: Float[np.ndarray, 'k']
  layer_singular_values: Float[np.ndarray, 'm k']
  feature_singular_values: Float[np.ndarray, 'k']
  logit_means: Float[np.ndarray, 'k k']
  classifier_gram: Float[np.ndarray, 'k k']
  class_mean_gram: Float[np.ndarray, 'k k']
  weights: tuple[Float[np.ndarray, 'o i'], ...]
  features: Float[np.ndarray, 'd n']
  bias: Float[np.ndarray, 'k'] | None


def minimum(
  class_counts: Counts,
  dims: Counts,
  weight_decays: Decays,
  feature_decay: float | Float[ArrayLike, ''],
  bias: bool = False,
  bias_decay: float | Float[ArrayLike, ''] = 0.0,
  loss: str = 'mse',
) -> Minimum:
  """The global minimum of `objective`, in closed form.

  Squared error: any depth, widths, decays and class sizes, without a bias or
  with a free one; with a penalised bias for classes of equal size.

  Cross-entropy: depth 1 with at most two class sizes (two sizes: a convex
  problem of five numbers, solved numerically), or where zero is the minimum;
  two classes at any depth, without a bias or of equal size; a few numbers of
  classes and depths, balanced and without a bias, where the minimum is known
  from searches alone. From depth 2 on that is often not the simplex ETF.

  Args:
    class_counts: class sizes, K >= 2 integers.
    dims: widths d_0 (of the features) to d_{M-1}.
    weight_decays: of W_1 (which acts on the features) to W_M, > 0.
    feature_decay: of the features, > 0.
    bias: whether the last layer has one.
    bias_decay: its decay; 0 leaves it free.
    loss: 'mse' or 'ce'.

  Returns:
    A `Minimum`. Dang et al., ICML 2023 (arXiv 2301.00437), with the global root
    where the published code takes the largest one; two class sizes: after Hong
    and Ling, 2023 (arXiv 2309.09725) and Fang et al., PNAS 2021 (arXiv
    2101.12699); antipodal pairs: after Garrod and Keating, 2024 (arXiv
    2410.23169).

  Raises:
    NoClosedForm: where none is known; says what to run instead.
    ValueError: if the settings are inconsistent.
  """
  problem = Problem.of(
    class_counts, dims, weight_decays, feature_decay, bias, bias_decay, loss
  )
  modes = modes_of(problem)
  values = modes.singular_values
  layers, features = _layer_values(problem, values)
  right = _right(problem, modes)
  weights, means = factors(problem, modes)
  return Minimum(
    objective=modes.objective,
    status=modes.status,
    mode_order=modes.order,
    singular_values=values,
    collapsed=values == 0,
    collapse_at=modes.collapse_at,
    layer_singular_values=layers,
    feature_singular_values=features,
    logit_means=modes.left * values @ right.T,
    classifier_gram=modes.left * np.prod(layers**2, axis=0) @ modes.left.T,
    class_mean_gram=right * features**2 @ right.T,
    weights=weights,
    features=np.repeat(means, problem.counts, axis=1),
    bias=modes.bias,
  )


def modes_of(problem: Problem) -> Modes:
  """Of the logits at the minimum."""
  find = squared_error_modes if problem.loss == 'mse' else cross_entropy_modes
  return find(problem)


def _layer_values(problem: Problem, values):
  """Singular values of layers [M, K] and features [K], given the logits'.

  Balanced: each has an equal share t of the decay, decay times the squared
  singular value, with t = (Lambda s^2)^(1 / (M + 1)).
  """
  share = 1 / (problem.depth + 1)
  energy = np.exp(problem.log_product * share) * values ** (2 * share)
  layers = np.sqrt(energy / np.array(problem.weight_decays)[:, None])
  return layers, np.sqrt(energy / problem.feature_decay)


def _right(problem: Problem, modes: Modes):
  """Right singular vectors of the logits, a row a class, of one example."""
  return modes.right / np.sqrt(problem.sizes)[:, None]


def factors(problem: Problem, modes: Modes):
  """Weights and class means [d_0, K], with modes that are not zero as axes."""
  layers, features = _layer_values(problem, modes.singular_values)
  alive = np.flatnonzero(features)
  bases = [np.eye(width, len(alive)) for width in problem.dims]
  bases.append(modes.left[:, alive])
  weights = tuple(
    above * values[alive] @ below.T
    for below, above, values in zip(bases, bases[1:], layers, strict=False)
  )
  right = _right(problem, modes)[:, alive]
  return weights, bases[0] * features[alive] @ right.T
