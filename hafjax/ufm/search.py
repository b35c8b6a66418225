# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Direct optimisation of all weights and features, from many random starts."""

from collections.abc import Callable, Sequence
import functools
from typing import Any, NamedTuple

import jax
from jax import flatten_util
import jax.numpy as jnp
from jaxtyping import Float, PyTree
import numpy as np
import optax

from hafjax import losses
from hafjax.numerics.arrays import ArrayLike
from hafjax.ufm.model import Counts
from hafjax.ufm.model import Loss
from hafjax.ufm.model import check_loss
from hafjax.ufm.model import labels_of
from hafjax.ufm.model import regularised_loss

METHODS = ('lbfgs', 'gd')
_MOMENTUM = 0.9
# Of the random starts, from small to large: which modes survive depends on it.
_SCALES = (0.5, 2.0)

Point = tuple[Sequence[ArrayLike], ArrayLike, ArrayLike | None]
Measure = Callable[[Point], PyTree]


class SearchResult(NamedTuple):
  """The best point that was found, and how all starts ended.

  Arrays have a leading axis [S] where S settings of the decays were asked for.

  Attributes:
    objective: its value, [].
    weights: W_1 to W_M, [d_l, d_{l-1}].
    features: [d_0, N], grouped by class.
    bias: [K], or None.
    history: objectives of its start before each step and at the end,
      [steps + 1]; constant once it has converged.
    gradient: the largest entry of its gradient.
    objectives: where the starts ended, [starts]. Different values are different
      critical levels, or starts that have not converged.
    zero_objective: of all-zero weights and features under their best bias; nan
      where it was not tried.
    measures: what `measure` gave of its start at each of `measure_at`, arrays
      with a leading axis [len(measure_at)]; None if there was none.
  """

  objective: Float[np.ndarray, '*s']
  weights: tuple[Float[np.ndarray, '*s o i'], ...]
  features: Float[np.ndarray, '*s d n']
  bias: Float[np.ndarray, '*s k'] | None
  history: Float[np.ndarray, '*s t']
  gradient: Float[np.ndarray, '*s']
  objectives: Float[np.ndarray, '*s r']
  zero_objective: Float[np.ndarray, '*s']
  measures: PyTree = None


def optimise(
  class_counts: Counts,
  dims: Counts,
  weight_decays: Sequence[float] | Float[ArrayLike, '*s m'],
  feature_decay: float | Float[ArrayLike, 's'],
  bias: bool = False,
  bias_decay: float | Float[ArrayLike, 's'] = 0.0,
  loss: Loss = 'mse',
  seed: int = 0,
  starts: int = 1,
  *,
  method: str = 'lbfgs',
  steps: int = 2000,
  tolerance: float = 1e-9,
  learning_rate: float = 0.1,
  start: Point | None = None,
  feature_norm: float | None = None,
  measure: Measure | None = None,
  measure_at: Counts = (),
  dtype: np.typing.DTypeLike = np.float64,
) -> SearchResult:
  """Minimises `objective` directly; one compiled call for all starts.

  From depth 2 on, zero is always a local minimum, and so are points where some
  modes that should be active are not, or the other way round: single starts
  often end at one of these. Ask for 30 starts, and look at `.objectives`. The
  zero solution is compared too, and returned where it is lowest.

  Args:
    class_counts: class sizes, K integers.
    dims: widths d_0 (of the features) to d_{M-1}; for a loss that is a
      function, to d_M, the width of what it is given.
    weight_decays: of W_1 to W_M, >= 0, [M], or [S, M] for S settings at once.
    feature_decay: of the features, >= 0, one or [S].
    bias: whether the last layer has one.
    bias_decay: its decay, one or [S].
    loss: 'mse', 'ce', or a function of outputs [N, d_M] and labels [N] that
      gives [N], such as `fixed_classifier`'s, whose classifier stays as it is.
      Each new function is compiled anew.
    seed: of the random starts, the same for all settings.
    starts: how many, besides zero. Their scale grows from first to last.
    method: 'lbfgs', or 'gd', gradient descent with momentum 0.9.
    steps: at most.
    tolerance: a start has converged when no entry of its gradient is larger.
    learning_rate: of 'gd'.
    start: (weights, features, bias) to start from alone, in the place of
      random starts and zero.
    feature_norm: if given, all features have this norm.
    measure: a function of a point (weights, features, bias) that gives arrays,
      such as `collapse_by_layer`'s, to watch on the way. Each new function is
      compiled anew.
    measure_at: the numbers of steps after which it is called; the last point's
      value stands for all that come later.
    dtype: float64, whatever JAX's x64 flag says, or float32, whose gradients
      seldom fall below a tolerance of 1e-6.

  Returns:
    A `SearchResult`, arrays of `dtype`.

  Raises:
    ValueError: if the settings do not fit each other, or all starts diverge.
  """
  labels = labels_of(class_counts)
  widths = _widths(class_counts, dims, bias, loss)
  decays, batched = _decay_table(
    weight_decays, feature_decay, bias_decay, len(widths) - 1
  )
  if method not in METHODS:
    raise ValueError(f'method must be one of {METHODS}, got {method!r}.')
  with_zero = start is None and feature_norm is None and not callable(loss)
  if start is None:
    points = _random_points(widths, len(labels), bias, seed, starts)
  else:
    points = _given_point(start, widths, len(labels), bias)
  if with_zero:
    points = jax.tree.map(lambda x: np.append(x, 0 * x[:1], axis=0), points)
  with jax.enable_x64(np.dtype(dtype) == np.float64):
    ends = _descend(
      jax.tree.map(lambda x: jnp.asarray(x, dtype), points),
      jax.tree.map(lambda x: jnp.asarray(x, dtype), decays),
      labels,
      feature_norm,
      learning_rate,
      tolerance,
      np.asarray(measure_at, int),
      loss=loss,
      method=method,
      steps=steps,
      measure=measure or _nothing,
    )
  found = _best(jax.tree.map(np.asarray, ends), with_zero)
  return found if batched else jax.tree.map(lambda x: x[0], found)


def _nothing(point):
  """The measure of those who ask for none."""
  del point


def _widths(class_counts, dims, bias, loss) -> tuple[int, ...]:
  """d_0 to d_M."""
  check_loss(loss)
  if not dims or min(dims) < 1:
    raise ValueError(f'dims must be widths of at least 1, got {list(dims)}.')
  if not callable(loss):
    return (*dims, len(class_counts))
  if bias:
    raise ValueError(
      'A loss that is a function has a bias of its own, or none.'
    )
  return tuple(dims)


def _decay_table(weight_decays, feature_decay, bias_decay, depth):
  """Decays with a leading axis of settings, and whether one was given."""
  weight_decays = np.asarray(weight_decays, np.float64)
  singles = (feature_decay, bias_decay)
  settings = np.broadcast_shapes(
    weight_decays.shape[:-1], *(np.shape(decay) for decay in singles)
  )
  if weight_decays.shape[-1:] != (depth,) or len(settings) > 1:
    raise ValueError(
      f'weight_decays must have an entry per layer, [{depth}] or [S, {depth}], '
      f'got shape {list(weight_decays.shape)}.'
    )
  axes = settings or (1,)
  table = (
    tuple(np.broadcast_to(weight_decays, (*axes, depth)).T),
    *(np.broadcast_to(np.asarray(decay, float), axes) for decay in singles),
  )
  if not all(np.all(decay >= 0) for decay in jax.tree.leaves(table)):
    raise ValueError('Decays must be at least 0.')
  return table, bool(settings)


def _random_points(widths, num_samples, bias, seed, starts):
  """Gaussian weights and features, [starts, ...]; no bias at first."""
  if starts < 1:
    raise ValueError(f'starts must be at least 1, got {starts}.')
  rng = np.random.default_rng(seed)
  scales = np.geomspace(*_SCALES, starts) if starts > 1 else np.ones(1)

  def draw(rows, columns):
    entries = rng.standard_normal((starts, rows, columns))
    return scales[:, None, None] / np.sqrt(rows) * entries

  weights = tuple(
    draw(above, below) for below, above in zip(widths, widths[1:], strict=False)
  )
  zeros = np.zeros((starts, widths[-1])) if bias else None
  return weights, draw(widths[0], num_samples), zeros


def _given_point(start, widths, num_samples, bias):
  """The start itself, [1, ...]."""
  weights, features, given_bias = start
  point = jax.tree.map(np.asarray, (tuple(weights), features, given_bias))
  expected = _random_points(widths, num_samples, bias, seed=0, starts=1)
  expected = jax.tree.map(lambda x: x[0].shape, expected)
  shapes = jax.tree.map(np.shape, point)
  if shapes != expected:
    raise ValueError(
      f'start must be (weights, features, bias) of shapes {expected}, got '
      f'{shapes}.'
    )
  return jax.tree.map(lambda x: x[None], point)


class _Ends(NamedTuple):
  """Where all starts [R] of all settings [S] ended."""

  points: Point
  objective: jax.Array
  gradient: jax.Array
  history: jax.Array
  measures: Any


@functools.partial(
  jax.jit, static_argnames=('loss', 'method', 'steps', 'measure')
)
def _descend(
  points,
  decays,
  labels,
  feature_norm,
  learning_rate,
  tolerance,
  measure_at,
  *,
  loss,
  method,
  steps,
  measure,
) -> _Ends:
  """Runs every start under every setting until all of them have converged."""
  optimiser = optax.lbfgs()
  if method == 'gd':
    optimiser = optax.sgd(learning_rate, momentum=_MOMENTUM)
  optimiser = optax.with_extra_args_support(optimiser)
  # One vector a start, so that an optimiser's state has few arrays.
  starts = jax.vmap(lambda point: flatten_util.ravel_pytree(point)[0])(points)
  _, unravel = flatten_util.ravel_pytree(jax.tree.map(lambda x: x[0], points))

  def point_of(flat):
    weights, features, bias = unravel(flat)
    if feature_norm is not None:
      features = feature_norm * losses.unit(features.T).T
    return weights, features, bias

  def objective(flat, decays):
    return regularised_loss(point_of(flat), labels, decays, loss)

  def evaluate(flat, decays):
    value, slope = jax.value_and_grad(objective)(flat, decays)
    return value, slope, jnp.max(jnp.abs(slope))

  def step(flat_and_state, decays):
    flat, state = flat_and_state
    value, slope, size = evaluate(flat, decays)
    updates, new_state = optimiser.update(
      slope,
      state,
      flat,
      value=value,
      grad=slope,
      value_fn=lambda flat: objective(flat, decays),
    )
    # A line search at a minimum has nowhere to go.
    arrived = size <= tolerance
    kept = jax.tree.map(
      lambda old, new: jnp.where(arrived, old, new),
      flat_and_state,
      (flat + updates, new_state),
    )
    return kept, value, arrived

  def every(function):
    """Over settings, and their starts under the same decays."""
    return jax.vmap(jax.vmap(function, (0, None)))

  def measures_of(flat):
    return every(lambda flat, _: measure(point_of(flat)))(flat, decays)

  def noted(measured, slots, flat):
    """With the measures of these points in the slots, bool[T]."""
    return jax.tree.map(
      lambda old, new: jnp.where(slots.reshape(-1, *[1] * new.ndim), new, old),
      measured,
      measures_of(flat),
    )

  def more(carry):
    count, _, _, _, arrived = carry
    return (count < steps) & ~jnp.all(arrived)

  def body(carry):
    count, points, history, measured, _ = carry
    # They are costly, and most steps have no slot.
    slots = measure_at == count
    measured = jax.lax.cond(
      jnp.any(slots), noted, lambda *args: args[0], measured, slots, points[0]
    )
    points, value, arrived = every(step)(points, decays)
    history = history.at[count].set(value)
    return count + 1, points, history, measured, arrived

  flat = jnp.tile(starts, (len(decays[1]), 1, 1))
  state = jax.vmap(jax.vmap(optimiser.init))(flat)
  lanes = flat.shape[:2]
  history = jnp.zeros((steps + 1, *lanes), flat.dtype)
  measured = jax.tree.map(
    lambda x: jnp.zeros((len(measure_at), *x.shape), x.dtype),
    jax.eval_shape(measures_of, flat),
  )
  carry = (0, (flat, state), history, measured, jnp.zeros(lanes, bool))
  count, (flat, _), history, measured, _ = jax.lax.while_loop(more, body, carry)
  value, _, size = every(evaluate)(flat, decays)
  passed = jnp.arange(steps + 1)[:, None, None] < count
  history = jnp.where(passed, history, value)
  points = jax.vmap(jax.vmap(point_of))(flat)
  measured = noted(measured, measure_at >= count, flat)
  return _Ends(
    points,
    value,
    size,
    jnp.moveaxis(history, 0, -1),
    jax.tree.map(lambda x: jnp.moveaxis(x, 0, 2), measured),
  )


def _best(ends: _Ends, with_zero: bool) -> SearchResult:
  """The best start of each setting."""
  values = np.where(np.isfinite(ends.objective), ends.objective, np.inf)
  objectives, zero = ends.objective, np.full(len(values), np.nan)
  if with_zero:
    objectives, zero = objectives[:, :-1], objectives[:, -1]
  if not np.isfinite(objectives).any(axis=1).all():
    raise ValueError('All starts diverged: lower learning_rate.')
  best = (np.arange(len(values)), values.argmin(axis=1))
  weights, features, bias = jax.tree.map(lambda x: x[best], ends.points)
  measures = jax.tree.map(lambda x: x[best], ends.measures)
  return SearchResult(
    ends.objective[best],
    weights,
    features,
    bias,
    ends.history[best],
    ends.gradient[best],
    objectives,
    zero,
    measures,
  )
