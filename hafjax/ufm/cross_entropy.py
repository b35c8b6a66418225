# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Minimisers under cross-entropy: where they are proved, and where searched.

Depth 1 is convex in the logits. From depth 2 on, the penalty prefers low rank,
and the simplex ETF is often not the global minimum.
"""

import math

import numpy as np
import scipy.optimize
import scipy.special
import scipy.stats

from hafjax.ufm.model import Problem
from hafjax.ufm.modes import TIE
from hafjax.ufm.modes import Modes
from hafjax.ufm.modes import centred_targets
from hafjax.ufm.modes import no_closed_form

# For K classes at depth M, the range of kappa = (n Lambda)^(1 / (M + 1)) in
# which searches over all parameters (40 to 150 starts each) ended at the best
# of `candidates`. No proof.
_SEARCHED = {
  (3, 2): (0.0, math.inf),
  (3, 3): (0.0, math.inf),
  (3, 4): (0.0, math.inf),
  (3, 6): (0.0, math.inf),
  (4, 2): (0.0, 0.08),
  (4, 3): (0.001, 0.06),
  (5, 2): (1e-5, 1e-4),
  (6, 2): (0.001, 0.03),
}


def cross_entropy_modes(problem: Problem) -> Modes:
  """The minimum where one is known; raises NoClosedForm elsewhere."""
  modes = _unrestricted_modes(problem)
  rank = np.count_nonzero(modes.singular_values)
  if rank > problem.max_rank:
    raise no_closed_form(
      problem, f'widths below {rank}, the rank of the minimum of wide layers'
    )
  return modes


def _unrestricted_modes(problem: Problem) -> Modes:
  """The minimum for layers of any width."""
  shallow = problem.depth == 1
  if shallow and problem.balanced:
    return _etf_modes(problem)
  if problem.num_classes == 2 and (problem.balanced or not problem.bias):
    return _etf_modes(problem)
  if shallow and _zero_is_global(problem):
    return _zero_modes(problem)
  if shallow and len(set(problem.counts)) == 2:
    return _two_size_modes(problem)
  if shallow:
    raise no_closed_form(problem, 'classes of three or more sizes')
  if not problem.balanced:
    raise no_closed_form(problem, 'classes of unequal size')
  if problem.bias:
    raise no_closed_form(problem, 'three or more classes with a bias')
  return _searched_modes(problem)


def _modes_of(logit_means, sizes, bias, value, collapse_at, status='proved'):
  """Modes of given logits of the classes, [K, K], largest first."""
  left, values, right = np.linalg.svd(logit_means * np.sqrt(sizes))
  values[values <= 1e-12 * values[0]] = 0.0
  return Modes(
    left, right.T, values, collapse_at, 'descending', bias, value, status
  )


# --- Simplex ETF -------------------------------------------------------------


def _etf_modes(problem: Problem) -> Modes:
  """Balanced classes at depth 1, and two classes at any depth.

  The former by convexity and symmetry. Two classes: the logits are of rank one
  and the loss is convex in the squared length of their columns, so that by
  Jensen's inequality all are of one length, whatever the class sizes. With a
  bias, balanced: the loss is convex in the two margins, so that equal margins
  and no bias are best.
  """
  depth, num_classes = problem.depth, problem.num_classes
  size = problem.num_samples / num_classes
  log_kappa = (math.log(size) + problem.log_product) / (depth + 1)
  if depth == 1:
    scale, value = _shallow_etf(num_classes, log_kappa)
    threshold = 1 / num_classes
  else:
    scale, value = best_scale(_etf(num_classes), log_kappa, depth)
    threshold = two_class_threshold(depth)
  collapse_at = np.full(num_classes, threshold ** (depth + 1) / size)
  collapse_at[-1] = 0.0
  bias = np.zeros(num_classes) if problem.bias else None
  means = scale * _etf(num_classes)
  return _modes_of(means, problem.sizes, bias, value, collapse_at)


def _etf(num_classes):
  return np.eye(num_classes) - 1 / num_classes


def _shallow_etf(num_classes, log_kappa) -> tuple[float, float]:
  """The scale a of exp(a) = 1 / kappa - K + 1, or 0, and the objective."""
  others, scale = num_classes - 1, 0.0
  if log_kappa < -math.log(num_classes) - TIE:
    scale = math.log1p(-others * math.exp(log_kappa)) - log_kappa
  value = math.log1p(others * math.exp(-scale))
  return scale, value + others * math.exp(log_kappa) * scale


def two_class_threshold(depth: int) -> float:
  """The kappa from which on zero is the minimum of two classes.

  kappa = (N / 2 Lambda)^(1 / (M + 1)), Lambda the product of all decays.

  Args:
    depth: M, at least 2.
  """

  def loss(scale):
    """Less zero's, where the scale is stationary."""
    spread = math.log1p(math.exp(-scale)) - math.log(2)
    return spread + (depth + 1) / 2 * scale * scipy.special.expit(-scale)

  # Zero at 0, and higher from there on at first.
  scale = scipy.optimize.brentq(loss, 1e-3, 60.0, xtol=1e-14)
  return scale ** ((depth - 1) / (depth + 1)) / (math.exp(scale) + 1)


# --- Candidates of given shape -----------------------------------------------


def _searched_modes(problem: Problem) -> Modes:
  """The best of the shapes that searches have ended at."""
  num_classes, depth = problem.num_classes, problem.depth
  log_kappa = (math.log(problem.counts[0]) + problem.log_product) / (depth + 1)
  low, high = _SEARCHED.get((num_classes, depth), (math.inf, math.inf))
  if not low <= math.exp(log_kappa) <= high:
    raise no_closed_form(
      problem,
      f'{num_classes} classes at kappa = (n Lambda)^(1 / (M + 1)) = '
      f'{math.exp(log_kappa):.3g}',
    )
  patterns = candidates(num_classes)
  found = [best_scale(pattern, log_kappa, depth) for pattern in patterns]
  best = min(range(len(found)), key=lambda i: found[i][1])
  scale, value = found[best]
  unknown = np.full(num_classes, np.nan)
  means = scale * patterns[best]
  return _modes_of(means, problem.sizes, None, value, unknown, 'search')


def candidates(num_classes) -> list[np.ndarray]:
  """The simplex ETF, and 1, ..., K / 2 antipodal pairs with the rest at zero.

  All K / 2 pairs are the cross-polytope.
  """
  patterns = [_etf(num_classes)]
  for pairs in range(1, num_classes // 2 + 1):
    paired = np.zeros((num_classes, num_classes))
    block = np.kron(np.eye(pairs), [[1.0, -1.0], [-1.0, 1.0]])
    paired[: 2 * pairs, : 2 * pairs] = block
    patterns.append(paired)
  return patterns


def best_scale(pattern, log_kappa, depth) -> tuple[float, float]:
  """The scale a at which logits a times pattern are lowest, and the objective.

  The mean over classes of the cross-entropy, plus (M + 1) / 2 kappa a^p times
  the sum of sv(pattern)^p, p = 2 / (M + 1); a = 0 included. The slope vanishes
  where log(-loss') + (1 - p) log a meets a constant: the last crossing from
  above is the lowest minimum beside zero.
  """
  power = 2 / (depth + 1)
  values = np.linalg.svd(pattern, compute_uv=False)
  log_penalty = log_kappa + np.log(np.sum(values[values > 1e-9] ** power))
  margins = np.diag(pattern) - pattern  # Of class k (column) over all others.
  with np.errstate(divide='ignore'):
    log_margins = np.log(margins / len(margins))

  def losses(scale):
    return np.logaddexp.reduce(-scale * margins, axis=0)

  def excess(log_scale):
    scale = math.exp(log_scale)
    pulls = log_margins - scale * margins - losses(scale)
    slope = np.logaddexp.reduce(pulls, axis=None)
    return slope + (1 - power) * log_scale - log_penalty

  def value(scale):
    penalty = math.exp(log_penalty + power * math.log(scale))
    return float(np.mean(losses(scale)) + penalty / power)

  zero = 0.0, math.log(len(pattern))
  # -loss' falls as exp(-a). The two roots of a minimum below zero's are far
  # from each other: half the scale, as in the squared error's.
  largest = 10 + 2 * max(0.0, -log_penalty)
  grid = np.linspace(math.log(1e-6), math.log(largest), 400)
  above = np.flatnonzero([excess(x) > 0 for x in grid])
  if not len(above):
    return zero
  bracket = grid[above[-1]], grid[above[-1] + 1]
  scale = math.exp(
    scipy.optimize.brentq(excess, *bracket, xtol=1e-15, rtol=1e-14)
  )
  return min((scale, value(scale)), zero, key=lambda found: found[1])


# --- Unequal sizes at depth 1 ------------------------------------------------


def _zero_is_global(problem: Problem) -> bool:
  """Whether all-zero logits are the minimum; false where that is not known."""
  return problem.log_product >= math.log(_zero_threshold(problem))


def _zero_threshold(problem: Problem) -> float:
  """The product of decays from which on logits are zero; inf if unknown."""
  if problem.bias and problem.bias_decay:
    return math.inf
  sizes = problem.sizes
  slope = _etf(len(sizes)) * np.sqrt(sizes)
  if problem.bias:
    slope = centred_targets(sizes)
  return float((np.linalg.norm(slope, 2) / problem.num_samples) ** 2)


def _zero_modes(problem: Problem) -> Modes:
  """No logits; a free bias learns the class frequencies."""
  num_classes = problem.num_classes
  bias, value = None, math.log(num_classes)
  if problem.bias:
    frequencies = problem.sizes / problem.num_samples
    bias, value = np.log(frequencies), scipy.stats.entropy(frequencies)
  collapse_at = np.full(num_classes, np.nan)
  collapse_at[0], collapse_at[-1] = _zero_threshold(problem), 0.0
  zero = np.zeros((num_classes, num_classes))
  return _modes_of(zero, problem.sizes, bias, float(value), collapse_at)


def _two_size_modes(problem: Problem) -> Modes:
  """Two class sizes: a convex problem of five numbers, solved numerically.

  By convexity, logits and bias are symmetric within a group of equal sizes: a
  contrast inside each group, a shift along the line between the groups for
  each, and the bias along that line.
  """
  counts = problem.sizes
  sizes, group, members = np.unique(
    counts, return_inverse=True, return_counts=True
  )
  pair = _TwoSizes(problem, sizes, members.astype(float))
  contrast, shift, bias, value = pair.solve()
  inside = contrast[group] * (np.eye(len(counts)) - 1 / members[group])
  means = np.where(group[:, None] == group, inside, 0.0)
  line = np.array([1.0, -1.0]) / (members * pair.spread)
  means += np.outer(line[group], (pair.sign * shift)[group])
  # In the order of singular values: the groups' contrasts, what is between
  # them (whose threshold is not known), and the constant.
  values = np.concatenate(
    [np.repeat(np.sqrt(sizes) * contrast, members - 1), [pair.length(shift), 0]]
  )
  collapse_at = np.concatenate(
    [np.repeat(sizes, members - 1) / problem.num_samples**2, [np.nan, 0]]
  )[np.argsort(-values, kind='stable')]
  bias = bias * line[group] if problem.bias else None
  return _modes_of(means, counts, bias, value, collapse_at)


class _TwoSizes:
  """The objective in (contrast [2], shift [2], bias), entries by group."""

  sign = np.array([1.0, -1.0])

  def __init__(self, problem: Problem, sizes, members):
    self.problem, self.sizes, self.members = problem, sizes, members
    self.spread = math.sqrt(np.sum(1 / members))
    self.share = members * sizes / problem.num_samples
    self.decay = math.exp(problem.log_product / 2)  # Square root of Lambda.
    self.cost = self.decay * (members - 1) * np.sqrt(sizes)

  def length(self, shift) -> float:
    """The singular value of what is between the groups."""
    return float(np.sqrt(np.sum(self.sizes * self.members * shift**2)))

  def losses(self, point):
    """The data term and its gradient."""
    contrast, shift, bias = point[:2], point[2:4], point[4]
    share_inside = 1 - 1 / self.members
    across = contrast * share_inside + self.spread * (shift + self.sign * bias)
    with np.errstate(divide='ignore'):
      logits = np.stack(
        [
          np.zeros(2),
          np.log(self.members - 1) - contrast,
          np.log(self.members[::-1]) - across,
        ]
      )
    loss = np.logaddexp.reduce(logits, axis=0)
    _, inside, outside = np.exp(logits - loss)
    slope = -self.share * self.spread * outside
    slopes = [-self.share * (inside + outside * share_inside), slope]
    return self.share @ loss, np.append(slopes, self.sign @ slope)

  def objective(self, point):
    """The whole objective and its gradient, 0 for the shifts' at their kink."""
    value, slope = self.losses(point)
    length = self.length(point[2:4])
    value += self.cost @ point[:2] + self.decay * length
    value += self.problem.bias_decay * point[4] ** 2 / 2
    slope[:2] += self.cost
    weight = self.sizes * self.members * self.decay
    slope[2:4] += weight * point[2:4] / max(length, 1e-300)
    slope[4] += self.problem.bias_decay * point[4]
    return value, slope

  def solve(self):
    """Contrasts, shifts, bias and the objective at the minimum."""
    # Known beforehand: a group's contrast is zero from this threshold on.
    threshold = self.decay * self.problem.num_samples
    contrast = (self.members > 1) & (np.sqrt(self.sizes) > threshold)
    free = np.concatenate([contrast, [False, False, self.problem.bias]])
    point = self._minimise(np.where(free, 1.0, 0.0), free)
    _, slope = self.losses(point)
    pull = slope[2:4] / np.sqrt(self.sizes * self.members)
    if np.linalg.norm(pull) > self.decay:
      free[2:4] = True
      point = self._minimise(np.where(free, 1.0, 0.0), free)
    return point[:2], point[2:4], point[4], self.objective(point)[0]

  def _minimise(self, start, free):
    """From `start`, in the free entries; smooth there, so Newton polishes."""
    if not free.any():
      return start

    def objective(values):
      point = start.copy()
      point[free] = values
      value, slope = self.objective(point)
      return value, slope[free]

    rough = scipy.optimize.minimize(
      objective, start[free], jac=True, method='L-BFGS-B'
    ).x
    exact = scipy.optimize.root(lambda x: objective(x)[1], rough, tol=1e-14).x
    # Convex: what is stationary is the minimum.
    point = start.copy()
    point[free] = min(
      exact, rough, key=lambda x: np.linalg.norm(objective(x)[1])
    )
    return point
