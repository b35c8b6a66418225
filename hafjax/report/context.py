# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What sections are made from, and pieces that several of them have."""

from collections.abc import Mapping, Sequence
import dataclasses
import functools

import numpy as np

from hafjax.hierarchy import Hierarchy
from hafjax.report import markup
from hafjax.report import plots
from hafjax.runs.find import PREDICTIONS
from hafjax.runs.find import Run
from hafjax.runs.find import evaluate_command
from hafjax.runs.find import read_predictions

# Methods whose pictures are unfolded.
_UNFOLDED = 4


@dataclasses.dataclass(frozen=True)
class Pooled:
  """Test images of several seeds of a method: class indices, int[N]."""

  seeds: tuple[int, ...]
  labels: np.ndarray
  predictions: np.ndarray


@dataclasses.dataclass(frozen=True)
class Context:
  """What sections are made from.

  Attributes:
    methods: runs by name.
    hierarchy: of their classes.
    gallery: where pictures go.
    split: of the tables, 'test' or 'val'.
    baseline: name or variant that the others are compared with.
  """

  methods: Mapping[str, Sequence[Run]]
  hierarchy: Hierarchy
  gallery: markup.Gallery
  split: str
  baseline: str

  @functools.cached_property
  def runs(self) -> list[Run]:
    return [run for group in self.methods.values() for run in group]

  @functools.cached_property
  def looks(self) -> dict[str, plots.Style]:
    return plots.styles(list(self.methods))

  @functools.cached_property
  def pooled(self) -> dict[str, Pooled]:
    """Predictions of the methods that have some."""
    found = {}
    for name, group in self.methods.items():
      arrays = {run.seed: self.arrays(run) for run in group}
      arrays = {seed: read for seed, read in arrays.items() if read}
      if arrays:
        found[name] = Pooled(
          tuple(arrays),
          *(
            np.concatenate([read[key] for read in arrays.values()])
            for key in ('labels', 'predictions')
          ),
        )
    return found

  def arrays(self, run: Run, *names: str) -> dict | None:
    """See `runs.find.read_predictions`."""
    return read_predictions(run, self.hierarchy.num_classes, names)

  def first_with(self, name: str, *names: str):
    """Yields (method, run, arrays) of each method's first run that has one."""
    for method, group in self.methods.items():
      for run in group:
        arrays = self.arrays(run, name, *names)
        if arrays and name in arrays:
          yield method, run, arrays
          break


def seeds_of(seeds: Sequence[int]) -> str:
  return f'seed{"s" * (len(seeds) > 1)} {", ".join(map(str, seeds))}'


def missing(context: Context, file: str) -> str:
  """A sentence on the runs that lack a file; '' where all have it."""
  without = [run for run in context.runs if not (run.folder / file).exists()]
  if not without:
    return ''
  count, total = len(without), len(context.runs)
  who = 'No run has' if count == total else f'{count} of {total} runs have no'
  return f'{who} {markup.code(file)}; {advice(without)}.'


def lacking(context: Context, array: str) -> str:
  """A sentence where files are there and an array is in none of them."""
  return (
    f'No {markup.code(PREDICTIONS)} holds {markup.code(array)}; '
    f'{advice(context.runs)}.'
  )


def advice(runs: Sequence[Run]) -> str:
  """What writes the files that runs lack, and touches no other runs."""
  command = evaluate_command(*(run.folder for run in runs))
  return f'{markup.code(command)} writes it'


def note(*sentences: str) -> str:
  return markup.paragraph(*sentences, kind='note')


def folded(parts: Mapping[str, str]) -> list[str]:
  """Content by method, unfolded where there are few."""
  return [
    markup.details(markup.text(name), content, len(parts) <= _UNFOLDED)
    for name, content in parts.items()
  ]


def signed(value: float, decimals: int) -> str:
  """A number with its sign, as it is set in text."""
  return f'{value:+.{decimals}f}'.replace('-', '−')


def grid(parts: Sequence[str]) -> str:
  return f'<div class="grid">{"".join(parts)}</div>\n'


def matrix_dpi(num_classes: int) -> float:
  """Of a matrix: a pixel a class at least, up to a thousand classes."""
  return float(np.clip(0.26 * num_classes, 130, 260))


def labelled(context, row) -> str:
  look = context.looks.get(row)
  return (markup.swatch(look) if look else '') + markup.escape(row)
