# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the parts share: settings, searches, tables and pictures."""

import functools
import time
from typing import NamedTuple

from jaxtyping import Float
from matplotlib import figure as figure_lib
import numpy as np

from hafjax import ufm

# The class sizes of the published synthetic experiments.
CASES = {'balanced': (100,) * 4, 'imbalanced': (200, 100, 50, 50)}
DEPTHS = (1, 3, 6, 9)

# A start has reached a value if it ended this near to it.
REACHED = 1e-6


class Part(NamedTuple):
  """What a part has found.

  Attributes:
    text: what was run, and what the columns are.
    header: of the table's columns, by commas.
    rows: of the table.
    figures: pictures, by the end of their file's name ('' for the only one).
  """

  text: str
  header: str
  rows: list[list[str]]
  figures: dict[str, figure_lib.Figure]


def reached(objectives, value) -> np.ndarray:
  """Which of the objectives are this value, up to what is left to descend."""
  return np.asarray(objectives) < value + REACHED * (1 + np.abs(value))


def outputs(found: ufm.SearchResult) -> Float[np.ndarray, '*s d n']:
  """What the last layer gives."""
  return functools.reduce(lambda x, w: w @ x, found.weights, found.features)


def logit_values(found: ufm.SearchResult, count) -> np.ndarray:
  """Singular values of the logits, as many as there are classes."""
  return np.linalg.svd(outputs(found), compute_uv=False)[..., :count]


def settings_of(class_counts, depth, width, decay) -> dict:
  """One width, and one decay of all layers and of the features."""
  return dict(
    class_counts=class_counts,
    dims=(width,) * depth,
    weight_decays=(decay,) * depth,
    feature_decay=decay,
  )


def table_of(class_counts, depth, width, decays) -> dict:
  """`settings_of` many decays, for one call of `ufm.optimise`."""
  return settings_of(class_counts, depth, width, 0.0) | dict(
    weight_decays=np.repeat(decays[:, None], depth, axis=1),
    feature_decay=decays,
  )


def collapse_decays(class_counts, depth, width) -> np.ndarray:
  """The decay of all layers from which on each class is zero, [K]."""
  exact = ufm.minimum(**settings_of(class_counts, depth, width, 1.0))
  return exact.collapse_at ** (1 / (depth + 1))


def numbers(values, digits=3) -> str:
  return ', '.join(f'{value:.{digits}f}' for value in values)


def grid(rows, columns, width=3.1, height=2.5) -> tuple:
  """A figure, and its axes [rows, columns]."""
  figure = figure_lib.Figure(
    figsize=(width * columns, height * rows), layout='constrained'
  )
  axes = figure.subplots(rows, columns, squeeze=False)
  for axis in axes.flat:
    axis.spines[['top', 'right']].set_visible(False)
    axis.tick_params(labelsize=8)
    axis.xaxis.label.set_fontsize(9)
    axis.yaxis.label.set_fontsize(9)
  return figure, axes


def legend(figure, axis, columns=4):
  """One for all axes, below them."""
  handles, labels = axis.get_legend_handles_labels()
  figure.legend(
    handles,
    labels,
    loc='outside lower center',
    ncols=min(len(labels), columns),
    frameon=False,
    fontsize=8,
  )


def seconds(function) -> tuple:
  """Wall time of a call, and what it gave."""
  start = time.perf_counter()
  found = function()
  return time.perf_counter() - start, found


def sizes_of(case) -> str:
  return ', '.join(map(str, CASES[case]))
