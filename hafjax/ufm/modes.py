# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Minimisers as singular modes of the logits, loss by loss.

At every stationary point, features of a class are equal (NC1 is exact) and
neighbouring layers are balanced, so that the objective depends on the logits
Z = L diag(s) R^T D^(-1/2) Y alone, with the penalty
(M + 1) / 2 Lambda^(1 / (M + 1)) sum_i s_i^(2 / (M + 1)).
"""

import math
from typing import NamedTuple

from jaxtyping import Float
import numpy as np
import scipy.linalg
import scipy.optimize

from hafjax.errors import UserError
from hafjax.ufm.model import Problem

# Relative; ties at a threshold count as collapsed.
TIE = 1e-12


class NoClosedForm(UserError):
  """No minimiser is known for these settings; says what to run instead."""


class Modes(NamedTuple):
  """Logits by their singular values; m of them.

  Attributes:
    left, right: L and R, orthonormal columns, [K, m].
    singular_values: of the logits, [m].
    collapse_at: the product of all decays from which on the mode is zero, [m];
      nan where it is not known.
    order: what the modes are, see `Minimum.mode_order`.
    bias: [K], or None.
    objective: its value.
    status: 'proved' or 'search'.
  """

  left: np.ndarray
  right: np.ndarray
  singular_values: np.ndarray
  collapse_at: np.ndarray
  order: str
  bias: np.ndarray | None
  objective: float
  status: str = 'proved'


def no_closed_form(problem: Problem, what: str) -> NoClosedForm:
  bias = 'without bias'
  if problem.bias:
    bias = f'with bias_decay={problem.bias_decay:g}'
  return NoClosedForm(
    f'No closed form is known for {what} (loss {problem.loss!r}, depth '
    f'{problem.depth}, widths {problem.dims}, {bias}). hafjax.ufm.optimise('
    '..., starts=30) searches for the minimum.'
  )


# --- Squared error -----------------------------------------------------------


def collapse_threshold(depth: int) -> float:
  """theta* = (M - 1)^(M - 1) / M^(2M), from which on a mode's minimum is 0.

  A mode with target singular value s (the square root of the class size, where
  there is no bias) collapses where N^(M+1) Lambda / s^(2M) >= theta*, with
  Lambda the product of all decays. For M >= 2 its ratio to the target jumps to
  zero from (M - 1) / M.

  Args:
    depth: M, at least 1.
  """
  return float((depth - 1) ** (depth - 1) / depth ** (2 * depth))


def mode_gap(log_theta: float, depth: int) -> float:
  """1 - rho of a squared error's mode: how far it falls short of its target.

  The larger root of rho^(M-1) (1 - rho)^(M+1) = theta where that is the global
  minimum, and rho = 0 elsewhere. The published code takes the largest root
  wherever there is one, also where zero is lower.

  Args:
    log_theta: logarithm of theta, so that tiny ones stay exact.
    depth: M.
  """
  if log_theta >= math.log(collapse_threshold(depth)) - TIE:
    return 1.0
  # Between (M - 1) / M and 1 the left side falls: one root, found for
  # y = -log(1 - rho), whose relative accuracy is that of 1 - rho.
  largest = -log_theta / (depth + 1)
  if depth == 1:
    return math.exp(-largest)

  def excess(y):
    rising = (depth - 1) * math.log(-math.expm1(-y))
    return rising - (depth + 1) * y - log_theta

  # Below a rho of 1 - 1e-17, rho^(M-1) is 1 to rounding.
  if excess(largest) >= 0:
    return math.exp(-largest)
  y = scipy.optimize.brentq(
    excess, math.log(depth), largest, xtol=1e-15, rtol=1e-15
  )
  return math.exp(-y)


def squared_error_modes(problem: Problem) -> Modes:
  """The minimum of K independent scalar problems."""
  left, right, targets, weights, order = _squared_error_targets(problem)
  depth, total = problem.depth, problem.num_samples
  with np.errstate(divide='ignore'):
    # A mode without a target has theta = infinity: it is always zero.
    log_inverse = 2 * depth * np.log(targets) + (depth + 1) * (
      np.log(weights) - math.log(total)
    )
  gaps = np.array(
    [mode_gap(problem.log_product - value, depth) for value in log_inverse]
  )
  zero = weights * targets**2 / (2 * total)
  values = zero * gaps * (1 + depth * (1 - gaps))
  # Narrow layers keep the modes that gain most.
  cut = np.argsort(values - zero, kind='stable')[problem.max_rank :]
  gaps[cut], values[cut] = 1.0, zero[cut]
  collapse_at = collapse_threshold(depth) * np.exp(log_inverse)
  collapse_at[cut] = 0.0
  return Modes(
    left,
    right,
    (1 - gaps) * targets,
    collapse_at,
    order,
    _squared_error_bias(problem, gaps),
    float(values.sum()),
  )


def _squared_error_targets(problem: Problem):
  """Bases, singular values to reach, their weights, and what the modes are."""
  num_classes, sizes = problem.num_classes, problem.sizes
  ones = np.ones(num_classes)
  if not problem.bias:
    basis = np.eye(num_classes)
    return basis, basis, np.sqrt(sizes), ones, 'class'
  if not problem.bias_decay:
    left, targets, right = np.linalg.svd(centred_targets(sizes))
    targets[-1] = 0.0
    return left, right.T, targets, ones, 'descending'
  if not problem.balanced:
    raise no_closed_form(problem, 'classes of unequal size')
  basis = centred_basis(num_classes)
  weights = ones.copy()
  weights[-1] = problem.bias_decay / (1 + problem.bias_decay)
  order = 'centred_descending_then_mean'
  return basis, basis, np.sqrt(sizes), weights, order


def _squared_error_bias(problem: Problem, gaps) -> np.ndarray | None:
  if not problem.bias:
    return None
  if not problem.bias_decay:
    return problem.sizes / problem.num_samples
  mean = gaps[-1] / (problem.num_classes * (1 + problem.bias_decay))
  return np.full(problem.num_classes, mean)


def centred_targets(sizes: np.ndarray) -> Float[np.ndarray, 'k k']:
  """One-hot targets less their mean, with columns of a class drawn together."""
  root = np.sqrt(sizes)
  return np.diag(root) - np.outer(sizes, root) / sizes.sum()


def centred_basis(num_classes: int) -> Float[np.ndarray, 'k k']:
  """Orthonormal columns, the last of them constant."""
  # Its first column is constant.
  return np.roll(scipy.linalg.helmert(num_classes, full=True).T, -1, axis=1)
