# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a metric is, and the work that several metrics share.

A metric is a module of this package, found by its name, that offers `METRIC`: a
class with `create(tables)`, whose objects are pytrees and fit `Metric`.
"""

from collections.abc import Iterable, Mapping, Sequence
import dataclasses
import functools
from typing import Any, ClassVar, Protocol

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Num
import numpy as np

from hafjax import plugins
from hafjax.hierarchy import Hierarchy

PACKAGE = 'hafjax.metrics'
# Modules of the package that are not metrics.
_SHARED = ('base', 'confusion', 'scores_file', 'summary')
# The order of results; what is not listed comes after, by name.
_ORDER = ('loss', 'ranking', 'hops', 'levels', 'calibration', 'alignment')

# Ranks that are reported unless others are chosen.
KS = (1, 5, 10, 20, 100)


class Metric(Protocol):
  """Sums over a batch, and what they say of a whole split.

  A pytree whose arrays are tables of the classes, made on the host: an argument
  of compiled functions, for of constants of this size XLA would compute what it
  can when it compiles, for minutes.

  Attributes:
    direction: how the names of its figures begin -> 1 if more is better, -1 if
      less is. Others are neither.
    num_ranked: how many classes of `Scored.ranked` it reads; 0 for none.
  """

  direction: ClassVar[Mapping[str, int]]

  @property
  def num_ranked(self) -> int: ...

  def sums(self, batch: 'Scored', weight: Float[Array, 'b']) -> dict:
    """A pytree of sums over a batch, jit-able; {} if it does not apply.

    Args:
      batch: B examples.
      weight: 1. of the examples that count, 0. of the others, float[B].
    """
    ...

  def finalize(self, sums: dict) -> dict[str, float]:
    """Figures by name, on the host.

    Args:
      sums: those of all batches, added up in float64.

    Raises:
      ValueError: if no examples were counted.
    """
    ...


class Scored:
  """A batch of scores, and what metrics read off them, each computed once.

  Inside of a compiled function; what no metric reads is not computed.

  Attributes:
    scores: larger for likelier classes, [B, K]; ties go to the lower index.
    labels: class indices, int[B].
    features: what the classifier receives, [B, d]; None if unknown.
    frame: the fixed class vectors, a `frames.Frame` or [K, d]; None for none.
    loss: of each example, [B]; None if unknown.
  """

  def __init__(
    self,
    scores: Float[Array, 'b k'],
    labels: Int[Array, 'b'],
    *,
    num_ranked: int = 0,
    ranked: Int[Array, 'b m'] | None = None,
    probs: Float[Array, 'b k'] | None = None,
    features: Float[Array, 'b d'] | None = None,
    frame: Any = None,
    loss: Float[Array, 'b'] | None = None,
  ):
    """See the attributes.

    Args:
      scores: see above.
      labels: see above.
      num_ranked: how many classes to rank, see `num_ranked` below.
      ranked: the likeliest classes in their order, at least as many; ranked
        here unless given.
      probs: of the classes, [B, K]; the softmax of the scores unless given.
      features: see above.
      frame: see above.
      loss: see above.
    """
    self.scores, self.labels = scores, labels
    self.features, self.frame, self.loss = features, frame, loss
    self._num_ranked, self._ranked, self._probs = num_ranked, ranked, probs

  @property
  def dtype(self):
    """Of sums: float32, or float64 where scores are."""
    return jnp.promote_types(self.scores.dtype, jnp.float32)

  @functools.cached_property
  def probs(self) -> Float[Array, 'b k']:
    """Of the classes."""
    if self._probs is not None:
      return self._probs.astype(self.dtype)
    return jax.nn.softmax(self.scores.astype(self.dtype))

  @functools.cached_property
  def ranked(self) -> Int[Array, 'b m']:
    """The likeliest classes, in their order; ties go to the lower index."""
    if self._ranked is not None:
      return self._ranked
    return rank(self.scores, self._num_ranked)

  @functools.cached_property
  def predictions(self) -> Int[Array, 'b']:
    """The likeliest class."""
    return jnp.argmax(self.scores, axis=1)


@dataclasses.dataclass(frozen=True, eq=False)
class MetricTables:
  """What metrics compare with, on the host.

  Attributes:
    hierarchy: K classes.
    distances: between classes, [K, K].
    ks: ranks to report, at least 1; those above K are left out.
  """

  hierarchy: Hierarchy
  distances: Num[np.ndarray, 'k k']
  ks: tuple[int, ...]
  _made: dict[str, Metric] = dataclasses.field(default_factory=dict, repr=False)

  @classmethod
  def create(
    cls,
    hierarchy: Hierarchy,
    distances: Num[np.ndarray, 'k k'] | None = None,
    ks: Sequence[int] = KS,
  ) -> 'MetricTables':
    """Those of a hierarchy, and distances other than its LCA heights.

    Raises:
      ValueError: if a rank is below 1.
    """
    check_ranks(ks)
    distances = hierarchy.distances() if distances is None else distances
    return cls(hierarchy, distances, tuple(ks))

  def select(self, names: Iterable[str] | None = None) -> dict[str, Metric]:
    """Metrics by name, each made once.

    Args:
      names: of metrics; all that come with hafjax unless given.

    Raises:
      PluginError: if there is no such metric.
    """
    names = metric_names() if names is None else names
    for name in names:
      if name not in self._made:
        self._made[name] = metric_class(name).create(self)
    return {name: self._made[name] for name in names}


def metric_names() -> tuple[str, ...]:
  """Names of all metrics that come with hafjax."""
  known = plugins.plugin_names(PACKAGE, _SHARED)
  return tuple(n for n in _ORDER if n in known) + tuple(
    name for name in known if name not in _ORDER
  )


def metric_class(name: str) -> type:
  """The class of a metric.

  Args:
    name: one of `metric_names()`, or a module of your own with a dot in its
      name, such as 'mylab.my_metric'.

  Raises:
    PluginError: if there is no such module, or it has no `METRIC`.
  """
  module = plugins.plugin(PACKAGE, name, 'metric', _SHARED)
  try:
    return module.METRIC
  except AttributeError:
    raise plugins.PluginError(
      f'The module {name!r} is no metric: it must offer METRIC, see {__name__}.'
    ) from None


@functools.cache
def _directions() -> dict[str, int]:
  return {
    start: sign
    for name in metric_names()
    for start, sign in metric_class(name).direction.items()
  }


def direction(figure: str) -> int:
  """1 if more of a figure ('top1') is better, -1 if less is, 0 if neither."""
  return sum(
    sign for start, sign in _directions().items() if figure.startswith(start)
  )


def num_ranked(metrics: Mapping[str, Metric]) -> int:
  """How many ranked classes some metrics need; 0 for none."""
  return max((metric.num_ranked for metric in metrics.values()), default=0)


def sums(
  metrics: Mapping[str, Metric],
  batch: Scored,
  mask: Bool[Array, 'b'] | None = None,
) -> dict[str, dict]:
  """Sums of metrics over a batch, to be added to those of others.

  Args:
    metrics: by name.
    batch: B examples, of which as many classes as `num_ranked(metrics)` are
      ranked.
    mask: which examples count, bool[B]; all by default.
  """
  mask = jnp.ones(len(batch.labels), bool) if mask is None else mask
  weight = mask.astype(batch.dtype)
  return {name: one.sums(batch, weight) for name, one in metrics.items()}


def add(total: Any, sums: Any) -> Any:
  """A pytree of sums, in float64 on the host, with a batch's added.

  Args:
    total: of earlier batches; None for none.
    sums: arrays, of any device.
  """
  # Exact counts, for splits of any size.
  sums = jax.tree.map(lambda value: np.asarray(value, np.float64), sums)
  return sums if total is None else jax.tree.map(np.add, total, sums)


def finalize(
  metrics: Mapping[str, Metric], sums: Mapping[str, dict] | None
) -> dict[str, float]:
  """Figures of all metrics from their sums over a split; None for no batch.

  Raises:
    ValueError: if no examples were counted.
  """
  if sums is None:
    check_count(0)
  sums = jax.tree.map(lambda value: np.asarray(value, np.float64), dict(sums))
  figures = {}
  for name, metric in metrics.items():
    if sums[name]:
      figures |= metric.finalize(sums[name])
  return figures


# --- Checks ------------------------------------------------------------------


def check_ranks(ks: Iterable[int]):
  """Raises ValueError if a rank is below 1."""
  if min(ks, default=1) < 1:
    raise ValueError(f'ks must be at least 1, got {tuple(ks)}.')


def check_count(count: float):
  """Raises ValueError if no examples were counted."""
  if not count:
    raise ValueError('There are no examples to measure.')


def check_finite(scores: Float[np.ndarray, 'b k'], first: int = 0):
  """Raises ValueError if the largest score of a row is no finite number.

  Minus infinity is a score, of a class that is out of the question.

  Args:
    scores: on the host.
    first: number of the first row, for the message.
  """
  bad = np.flatnonzero(~np.isfinite(scores.max(axis=1)))
  if len(bad):
    raise ValueError(
      'The largest score of each row must be a finite number, got '
      f'{scores[bad[0]].max()} in row {first + bad[0]}: NaN and infinity have '
      'no rank.'
    )


# --- Ranking -----------------------------------------------------------------


def rank(scores: Float[Array, 'b k'], most: int) -> Int[Array, 'b m']:
  """The likeliest classes, in their order; ties go to the lower index."""
  # To `top_k`, 0 is more than -0.
  return jax.lax.top_k(jnp.where(scores == 0, 0, scores), most)[1]


def rank_on_host(
  scores: Float[np.ndarray, 'b k'], most: int | None = None
) -> Int[np.ndarray, 'b m']:
  """`rank` by NumPy: on CPU some ten times as fast as XLA's sort.

  Args:
    scores: [B, K], no NaN.
    most: how many classes to rank; all by default.
  """
  num_classes = scores.shape[1]
  most = num_classes if most is None else most
  if scores.dtype != np.float32:
    order = np.argsort(-scores, axis=1, kind='stable')
    return order[:, :most].astype(np.int32)
  # NumPy sorts integers fastest, with the class as the tail of a score that is
  # read as an integer: as it is where positive, its bits turned where negative.
  bits = (0.0 - scores).view(np.int32)
  keys = np.where(bits < 0, bits ^ np.int32(0x7FFFFFFF), bits).astype(np.int64)
  keys <<= 32
  keys |= np.arange(num_classes)
  if most < num_classes:
    keys = np.partition(keys, most - 1, axis=1)[:, :most]
  keys.sort(axis=1)
  return keys.astype(np.int32)
