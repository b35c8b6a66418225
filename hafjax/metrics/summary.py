# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Several metrics at once, over shared work."""

from collections.abc import Iterable, Mapping, Sequence
import functools

import jax
from jaxtyping import Bool, Float, Integer, Num
import numpy as np

from hafjax import plugins
from hafjax.hierarchy import Hierarchy
from hafjax.metrics import base
from hafjax.metrics.base import Metric
from hafjax.metrics.base import Scored
from hafjax.metrics.base import Tables
from hafjax.metrics.checks import check_batch
from hafjax.metrics.errors import MetricError
from hafjax.numerics import arrays
from hafjax.numerics import checks
from hafjax.numerics.arrays import ArrayLike

# Ranks that are reported where nothing else is said.
KS = (1, 5, 10, 20, 100)

# Modules of the package that are no metrics.
_SHARED = (
  'base',
  'checks',
  'confusion',
  'errors',
  'scores_file',
  'summary',
)
_PACKAGE = 'hafjax.metrics'

NAMES = plugins.plugin_names(_PACKAGE, _SHARED)


def metric(name: str) -> Metric:
  """The metric of a name, or of the dotted name of a module.

  Raises:
    PluginError: if there is none.
  """
  return plugins.plugin(_PACKAGE, name, 'metric', _SHARED).METRIC


def direction(name: str) -> int:
  """Which way a value is better: 1 for more, -1 for less, 0 for neither.

  Args:
    name: of the value, such as 'hier_dist@5'.
  """
  for module in NAMES:
    for prefix, sign in metric(module).direction.items():
      if name.startswith(prefix):
        return sign
  return 0


class MetricTables:
  """What metrics need to know of the classes, made when first asked for.

  Attributes:
    hierarchy: K classes.
    distances: between classes, [K, K].
    ks: ranks; those above K are left out.
  """

  def __init__(
    self,
    hierarchy: Hierarchy,
    distances: Num[ArrayLike, 'k k'] | None = None,
    ks: Sequence[int] = KS,
  ):
    """Of a hierarchy, and distances other than its LCA heights.

    Raises:
      MetricError: if a rank is below 1.
    """
    if min(ks, default=1) < 1:
      raise MetricError(f'ks must be at least 1, got {tuple(ks)}.')
    self.hierarchy = hierarchy
    self.distances = hierarchy.distances() if distances is None else distances
    self.ks = tuple(ks)
    self._tables = {}

  def of(self, names: Iterable[str]) -> dict[str, Tables]:
    """Tables of some metrics, by name."""
    for name in names:
      if name not in self._tables:
        self._tables[name] = metric(name).tables(
          self.hierarchy, self.distances, self.ks
        )
    return {name: self._tables[name] for name in names}


def num_ranks(tables: Mapping[str, Tables]) -> int:
  """How many of the likeliest classes some metrics need in order."""
  return max(metric(name).num_ranks(table) for name, table in tables.items())


def metric_sums(
  batch: Scored,
  tables: Mapping[str, Tables],
  mask: Bool[ArrayLike, 'b'],
) -> dict:
  """A batch's part of some metrics, to be added to others'.

  Args:
    batch: scores and what is shared.
    tables: by the name of the metric; those that do not apply to such a batch
      are left out.
    mask: which examples count, bool[B].

  Returns:
    'count' of the examples that count, and sums by the name of the metric.
  """
  weight = mask.astype(batch.scores.dtype)
  sums = dict(count=weight.sum())
  for name, table in tables.items():
    if metric(name).applies(batch):
      sums[name] = metric(name).sums(batch, table, weight)
  return sums


def finalize(sums: dict, tables: Mapping[str, Tables], frame=None) -> dict:
  """Metrics from sums over a whole split.

  Args:
    sums: of `metric_sums`, added over batches.
    tables: the same.
    frame: fixed class vectors, where there are any.

  Returns:
    Values by name.

  Raises:
    MetricError: if there are no examples.
  """
  sums = jax.tree.map(lambda value: np.asarray(value, np.float64), sums)
  count = float(sums['count'])
  if not count:
    raise MetricError('There are no examples to measure.')
  values = {}
  for name in tables:
    if name in sums:
      values |= metric(name).finalize(sums[name], count, tables[name], frame)
  return values


def evaluate(
  scores: Float[ArrayLike, 'n k'],
  labels: Integer[ArrayLike, 'n'],
  hierarchy: Hierarchy,
  distances: Num[ArrayLike, 'k k'] | None = None,
  ks: Sequence[int] = KS,
  are_probabilities: bool = False,
  batch_size: int = 500,
) -> dict[str, float]:
  """All metrics of scores, a batch at a time.

  Args:
    scores: larger for likelier classes, [N, K]; may be memory-mapped.
    labels: class indices, int[N].
    hierarchy: K classes, height H.
    distances: between classes, [K, K]; its LCA heights by default.
    ks: ranks; those above K are left out.
    are_probabilities: whether the scores are the classes' probabilities; if
      not, their softmax is.
    batch_size: examples at a time.

  Returns:
    `hierarchical_metrics`; 'hops' and 'hops@k' (see `hops`);
    'full_path_accuracy'; 'level_accuracy@1' to '@H', the share of examples
    whose predicted class is under the right node of that depth;
    'mistakes@height_1' to '_H', the share of examples whose prediction has its
    lowest common ancestor with the label at that height; 'path_consistency',
    the share of examples whose likeliest nodes of all levels lie on one path
    (one minus the tree-based inconsistency error), and 'step_consistency', the
    share of neighbouring levels whose likeliest nodes do; 'ece' and 'mce' (see
    `calibration_error`). A class less deep than a level stands for itself.

  Raises:
    MetricError: if there are no examples, shapes do not fit, a score is NaN or
      infinite, a label is no class, or a rank is below 1.
  """
  labels = arrays.as_numpy(labels)
  if not isinstance(scores, np.ndarray):  # May be memory-mapped.
    scores = arrays.as_numpy(scores)
  check_batch(scores, labels, hierarchy.num_classes)
  tables = MetricTables(hierarchy, distances, ks).of(
    ('ranking', 'hops', 'levels', 'calibration')
  )
  placed = jax.device_put(tables)
  total = None
  batch_size = min(batch_size, len(labels))
  for start in range(0, len(labels), batch_size):
    rows = np.arange(start, start + batch_size)
    mask = rows < len(labels)
    rows = np.minimum(rows, len(labels) - 1)
    batch = np.asarray(scores[rows])
    checks.check_scores(batch, MetricError, first=start)
    ranked = base.rank_on_host(batch)
    sums = _batch_sums(
      batch, labels[rows], placed, mask, ranked, are_probabilities
    )
    sums = jax.tree.map(lambda x: np.asarray(x, np.float64), sums)
    total = sums if total is None else jax.tree.map(np.add, total, sums)
  return finalize(total, tables)


@functools.partial(jax.jit, static_argnames='are_probabilities')
def _batch_sums(scores, labels, tables, mask, ranked, are_probabilities):
  batch = Scored.create(
    scores,
    labels,
    ranked.shape[1],
    probs=scores if are_probabilities else None,
    ranked=ranked,
  )
  return metric_sums(batch, tables, mask)
