# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""100 settings x 8 starts in one call, and in a loop."""

from typing import NamedTuple

from absl import logging
from matplotlib import figure as figure_lib
import numpy as np

from experiments.deep_linear import common
from hafjax import ufm
from hafjax.report import plots

_MANY = dict(class_counts=(4, 3, 2, 1), dims=(5, 5))


class Speed(NamedTuple):
  """Seconds of R starts of each of S settings.

  Attributes:
    first: in one call, compilation included.
    together: in one call, as the others without it.
    by_setting: a call a setting.
    by_start: a call a start, extrapolated from a sample of the settings.
    hits: which starts reached the closed form, bool[S, R].
  """

  first: float
  together: float
  by_setting: float
  by_start: float
  hits: np.ndarray


def time_searches(
  method, num_settings=100, starts=8, sample=10, **options
) -> Speed:
  """Random decays, log-uniform from 0.001 to 0.04, one each for all layers."""
  rng = np.random.default_rng(0)
  depth = len(_MANY['dims'])
  decays = 10 ** rng.uniform(-3, -1.4, (num_settings, depth + 1))
  exact = np.array(
    [ufm.minimum(**_MANY, **decay_arguments(row)).objective for row in decays]
  )

  def search(rows, starts, seed=0):
    return ufm.optimise(
      **_MANY,
      **decay_arguments(rows),
      starts=starts,
      seed=seed,
      method=method,
      **options,
    )

  def all_together():
    return search(decays, starts)

  def by_setting():
    for number in range(num_settings):
      search(decays[number : number + 1], starts)

  def by_start():
    for number in range(sample):
      for seed in range(starts):
        search(decays[number : number + 1], 1, seed)

  first, _ = common.seconds(all_together)
  again, found = common.seconds(all_together)
  # Of the loops, the programs alone are compiled before.
  search(decays[:1], starts)
  search(decays[:1], 1)
  return Speed(
    first,
    again,
    common.seconds(by_setting)[0],
    common.seconds(by_start)[0] * num_settings / sample,
    common.reached(found.objectives, exact[:, None]),
  )


def decay_arguments(decays) -> dict:
  """Of rows, or one row, of decays: the last is that of the features."""
  return dict(weight_decays=decays[..., :-1], feature_decay=decays[..., -1])


def part() -> common.Part:
  kinds = {
    'L-BFGS, until converged': dict(method='lbfgs'),
    'gradient descent, 5,000 steps': dict(method='gd', steps=5000),
  }
  speeds = {}
  for name, options in kinds.items():
    logging.info('%s.', name)
    speeds[name] = time_searches(**options)
  return common.Part(
    'Squared error at depth 2, classes of 4, 3, 2 and 1 samples, widths of 5; '
    '100 settings of decays x 8 starts in one vmapped call, a call of 8 starts '
    'for each of the 100 settings, and a call for each of the 800 starts '
    '(extrapolated from the first 10 settings). Every call compares zero too. '
    'Seconds, of the first call with compilation, of the others without. '
    'Reached: the settings whose best start is at the closed form, to 1e-6.',
    'method,first call,one call,100 calls,800 calls,100 / one,800 / one,'
    'reached',
    [speed_row(name, speed) for name, speed in speeds.items()],
    {'': speed_figure(speeds)},
  )


def speed_row(name, speed: Speed) -> list[str]:
  return [
    name,
    f'{speed.first:.1f} s',
    f'{speed.together:.1f} s',
    f'{speed.by_setting:.1f} s',
    f'{speed.by_start:.1f} s',
    f'{speed.by_setting / speed.together:.1f}',
    f'{speed.by_start / speed.together:.1f}',
    f'{speed.hits.any(axis=1).sum()} of {len(speed.hits)}',
  ]


def speed_figure(speeds) -> figure_lib.Figure:
  figure, [[times, hits]] = common.grid(1, 2, width=4, height=2.8)
  looks = plots.styles(list(speeds))
  for number, (name, speed) in enumerate(speeds.items()):
    colour = looks[name].colour
    bars = speed.together, speed.by_setting, speed.by_start
    places = np.arange(3) + 0.4 * number
    times.bar(places, bars, 0.36, color=colour, label=name)
    best = np.maximum.accumulate(speed.hits, axis=1).mean(axis=0)
    hits.plot(np.arange(len(best)) + 1, 100 * best, 'o-', color=colour)
  times.set_xticks(
    np.arange(3) + 0.2, ['one call', '100 calls', '800 calls'], fontsize=8
  )
  times.set_title('seconds for 100 settings x 8 starts', fontsize=9)
  hits.set_title('settings at their minimum, %', fontsize=9)
  hits.set(xlabel='starts, from small to large', ylim=(0, 105))
  common.legend(figure, times)
  return figure
