# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which losses draw features onto the rows of a fixed frame."""

from typing import NamedTuple

from absl import logging
import jax
from matplotlib import figure as figure_lib
import numpy as np

from experiments.deep_linear import common
from hafjax import collapse
from hafjax import frames
from hafjax import ufm
from hafjax.hierarchy import load_hierarchy
from hafjax.report import plots

# The classes of Fashion-MNIST, and two ways to share 100 samples among them.
_TREE = 'fashion_mnist'
_FRAME_CASES = {
  'balanced': (10,) * 10,
  'imbalanced': (30, 22, 16, 11, 8, 5, 3, 2, 2, 1),
}
_FRAME_DECAY = 1e-4
_FRAME_LOSSES = {
  'cross-entropy': ('ce', {}),
  'CE + cosine': ('haframe', dict(alpha=0.4)),
  'dot regression': ('dot_regression', dict(lengths=1.0)),
}


class FrameResult(NamedTuple):
  """How features lie under a fixed frame.

  Attributes:
    cosine: of class means to their rows, the mean over classes.
    least_cosine: of the worst class.
    deviation: of angles between class means from those of the frame.
    nc1: spread within classes.
    right: the share of classes whose mean is told right.
    rank: of the class means.
    spread: highest less lowest objective of the starts.
  """

  cosine: float
  least_cosine: float
  deviation: float
  nc1: float
  right: float
  rank: int
  spread: float


def frame_result(
  frame, loss, class_counts, depth, decay=_FRAME_DECAY, starts=8, **options
) -> FrameResult:
  """Below `depth` linear layers and a fixed frame; options of the search."""
  width = frame.shape[1]
  found = ufm.optimise(
    class_counts,
    (width,) * (depth + 1),
    (decay,) * depth,
    decay,
    loss=loss,
    starts=starts,
    **options,
  )
  labels = np.repeat(np.arange(len(frame)), class_counts)
  with jax.enable_x64(True):
    stats = collapse.ClassStatistics.of(
      common.outputs(found).T, labels, len(frame)
    )
    deviation, _ = collapse.frame_deviation(stats.means, frame)
    nc1 = collapse.nc1(stats)
  means = np.asarray(stats.means)
  cosines = np.sum(means * frame, axis=1) / np.linalg.norm(means, axis=1)
  # Rounded: of means that coincide, one is right.
  chosen = np.argmax(np.round(means @ frame.T, 9), axis=1)
  return FrameResult(
    float(cosines.mean()),
    float(cosines.min()),
    float(deviation),
    float(nc1),
    float(np.mean(chosen == np.arange(len(frame)))),
    int(np.linalg.matrix_rank(means, tol=1e-3 * np.linalg.norm(means, 2))),
    float(np.ptp(found.objectives)),
  )


def part() -> common.Part:
  tree = load_hierarchy(_TREE)
  classifiers = {
    'simplex ETF': frames.simplex_etf(tree.num_classes),
    'HAFrame': frames.haframe(tree, gamma=2.0),
  }
  results = {}
  for name, frame in classifiers.items():
    for loss, (kind, options) in _FRAME_LOSSES.items():
      function = ufm.fixed_classifier(frame, kind, **options)
      for depth in (0, 1, 2):
        logging.info('%s, %s, %d layers before it.', name, loss, depth)
        for case, counts in _FRAME_CASES.items():
          results[name, loss, depth, case] = frame_result(
            frame, function, counts, depth
          )
  return common.Part(
    'Free features, 0 to 2 linear layers, and a classifier fixed to a frame '
    f"of the 10 classes of {_TREE}'s tree (HAFrame: gamma 2); all decays "
    f'{_FRAME_DECAY:g}, L-BFGS, the best of 8 starts. CE + cosine: alpha 0.4; '
    'dot regression: lengths 1. Balanced: 10 samples a class; imbalanced: '
    f'{common.numbers(_FRAME_CASES["imbalanced"], 0)}. Cosine: of class '
    'means, as the frame sees them, to their rows, mean and least; deviation: '
    "of their angles from the frame's; right: classes whose mean scores "
    'highest on its own row; spread: highest less lowest objective of the '
    'starts.',
    'frame,loss,layers,classes,cosine,least,deviation,NC1,right,rank,spread',
    [frame_row(*key, result) for key, result in results.items()],
    {'': frame_figure(results)},
  )


def frame_row(frame, loss, depth, case, result: FrameResult) -> list[str]:
  return [
    frame,
    loss,
    str(depth),
    case,
    f'{result.cosine:.4f}',
    f'{result.least_cosine:.4f}',
    f'{result.deviation:.4f}',
    f'{result.nc1:.0e}',
    f'{100 * result.right:.0f} %',
    str(result.rank),
    f'{result.spread:.0e}',
  ]


def frame_figure(results) -> figure_lib.Figure:
  """A panel a frame: cosines by the number of layers."""
  names = list(dict.fromkeys(key[0] for key in results))
  looks = plots.styles(list(_FRAME_LOSSES))
  figure, [axes] = common.grid(1, len(names), width=4, height=3.6)
  for axis, name in zip(axes, names, strict=True):
    for loss, look in looks.items():
      for case, marker in (('balanced', 'o-'), ('imbalanced', 's--')):
        cosines = [results[name, loss, m, case].cosine for m in (0, 1, 2)]
        axis.plot(
          range(3),
          cosines,
          marker,
          color=look.colour,
          mfc='white' if case == 'imbalanced' else None,
          label=f'{loss}, {case}',
        )
    axis.set_title(f'classifier: {name}', fontsize=9)
    axis.set(ylim=(0, 1.05), xlabel='linear layers before the classifier')
    axis.set_xticks(range(3))
  axes[0].set_ylabel('cosine of class means to their rows')
  figure.suptitle('Which losses draw features onto a fixed frame', fontsize=10)
  common.legend(figure, axes[0], columns=2)
  return figure
