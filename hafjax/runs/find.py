# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs on disk, as their files tell of them: nothing else is read.

A folder with a `results.json` is a run that is done. `experiments.compare`
leaves EXPERIMENT/VARIANT/SEED/ and, where it chose learning rates,
EXPERIMENT/rate_X/VARIANT/SEED/ with an EXPERIMENT/table.json of what counts.
"""

import collections
from collections.abc import Iterable, Sequence
import dataclasses
import os
import pathlib
import shlex
from typing import Any

from absl import logging
import numpy as np

from hafjax.errors import UserError
from hafjax.files import jsonl
from hafjax.files.arrays import ArrayError
from hafjax.files.arrays import load_archive
from hafjax.files.text import describe_error
from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import HierarchyError
from hafjax.runs import schema

METRICS = 'metrics.jsonl'
COLLAPSE = 'collapse.jsonl'


class ReportError(UserError):
  """Files that no report can be made of; says which, why and what to do."""


@dataclasses.dataclass(frozen=True)
class Run:
  """A run that is done.

  Attributes:
    folder: where its files are.
    name: of its row: the variant, with what else tells it from others.
    results: contents of `results.json`.
    record: contents of `run.json`.
  """

  folder: pathlib.Path
  name: str
  results: dict
  record: dict

  @property
  def seed(self) -> int:
    return self.results['seed']

  @property
  def variant(self) -> str:
    return self.results['variant']


def read_json(file: pathlib.Path) -> Any:
  """What a file of JSON holds.

  Raises:
    ReportError: if it cannot be read or is no JSON.
  """
  try:
    return jsonl.read(file)
  except FileNotFoundError:
    raise ReportError(
      f'{file} is missing: restore it, or move its run elsewhere.'
    ) from None
  except OSError as error:
    raise ReportError(
      f'{file} cannot be read: {describe_error(error)}.'
    ) from None
  except jsonl.JsonError as error:
    raise ReportError(
      f'{file} is damaged ({error}): restore it, or move its run elsewhere.'
    ) from None


def read_lines(file: pathlib.Path) -> list[dict]:
  """The objects in a file of one JSON object a line; none without the file.

  A last line that is half-written, as after a kill, is left out.

  Raises:
    ReportError: if another line is damaged.
  """
  try:
    return jsonl.read_lines(file)
  except OSError as error:
    raise ReportError(
      f'{file} cannot be read: {describe_error(error)}.'
    ) from None
  except jsonl.JsonError as error:
    raise ReportError(
      f'{file}, {error}: take the line out, or move the run elsewhere.'
    ) from None


# --- Finding -----------------------------------------------------------------


def find_runs(workdirs: Sequence[pathlib.Path]) -> list[Run]:
  """All runs in some folders that are done, in the order of their folders.

  Runs have the names of their variants, and of the rate for those below a
  `rate_X`; of these, a `table.json` beside it says which count. Where two runs
  would have name and seed in common, the folder becomes part of the name.

  Args:
    workdirs: folders of runs, or anywhere above.

  Raises:
    ReportError: if there are none, a file is damaged, or the runs' classes or
      their hierarchies differ.
  """
  folders = _folders(workdirs)
  runs = [_read(folder) for folder in folders]
  if not runs:
    raise ReportError(
      f'There is no results.json in or below {_listed(workdirs)}: only runs '
      'that are done can be reported on.'
    )
  experiments = {run.folder: _experiment(run) for run in runs}
  runs = _counted(runs, experiments, workdirs)
  runs = _told_apart(runs, experiments)
  for run in runs[1:]:
    if run.record['classes'] != runs[0].record['classes']:
      raise ReportError(
        f'The runs in {runs[0].folder} and {run.folder} have different classes '
        'or hierarchies: make a report of each.'
      )
    if _distances(run) != _distances(runs[0]):
      raise ReportError(
        f'The runs in {runs[0].folder} and {run.folder} have different '
        'distances between classes: make a report of each.'
      )
  return runs


def _distances(run: Run) -> tuple:
  """What distances a run was measured by."""
  record = run.record
  return record['config'].get('distance'), record.get('distances')


def _listed(items: Iterable[Any]) -> str:
  return ', '.join(map(str, items))


def _folders(workdirs) -> list[pathlib.Path]:
  """Where a results.json is, each once."""
  found = {}
  for workdir in workdirs:
    if not workdir.is_dir():
      raise ReportError(f'{workdir} is no folder.')
    for folder, inner, files in os.walk(workdir):
      if 'results.json' in files:
        folder = pathlib.Path(folder).resolve()
        found.setdefault(folder)
      elif 'run.json' in files:
        logging.warning('%s is not done: it is left out.', folder)
      # Checkpoints are thousands of files.
      is_run = 'results.json' in files or 'run.json' in files
      inner[:] = [] if is_run else sorted(inner, key=_by_number)
  return list(found)


def _by_number(name: str):
  return (not name.isdecimal(), int(name) if name.isdecimal() else 0, name)


def _read(folder: pathlib.Path) -> Run:
  found = []
  for name, check_content in (
    ('results.json', schema.check_results),
    ('run.json', schema.check_record),
  ):
    found.append(read_json(folder / name))
    try:
      check_content(found[-1])
    except schema.RunFileError as error:
      raise ReportError(f'{folder / name} {error}.') from None
  results, record = found
  return Run(folder, results['variant'], results, record)


def _experiment(run: Run) -> pathlib.Path:
  """The folder without the variant's and the seed's own."""
  folder = run.folder
  for name in (str(run.seed), run.variant):
    folder = folder.parent if folder.name == name else folder
  return folder


def _counted(runs, experiments, workdirs) -> list[Run]:
  """Runs of chosen learning rates, named by these, without the others."""
  tops = {workdir.resolve() for workdir in workdirs}
  tables = {}
  found = []
  for run in runs:
    experiment = experiments[run.folder]
    rate = experiment.name.removeprefix('rate_')
    if rate == experiment.name:
      found.append(run)
      continue
    run = dataclasses.replace(run, name=f'{run.variant} (x {rate})')
    file = experiment.parent / 'table.json'
    # Whoever asks for some of the runs alone means these.
    if file.exists() and tops & {file.parent, *file.parent.parents}:
      if file not in tables:
        tables[file] = _names_in(file)
      if (run.name, run.seed) not in tables[file]:
        continue
    found.append(run)
  if not found:
    raise ReportError(
      f'{_listed(tables)} lists none of the runs that are there: make it again '
      'with experiments.compare, or remove it.'
    )
  return found


def _names_in(table: pathlib.Path) -> set[tuple[str, int]]:
  try:
    return {(result['variant'], result['seed']) for result in read_json(table)}
  except (TypeError, KeyError):
    raise ReportError(
      f'{table} is no list of results: make it again with experiments.compare, '
      'or remove it.'
    ) from None


def _told_apart(runs, experiments) -> list[Run]:
  """Runs with names such that no two share name and seed."""
  count = collections.Counter((run.name, run.seed) for run in runs)
  clashing = {name for (name, _), times in count.items() if times > 1}
  if not clashing:
    return runs
  top = os.path.commonpath([experiments[run.folder] for run in runs])
  return [
    dataclasses.replace(
      run,
      name=f'{run.name} in {os.path.relpath(experiments[run.folder], top)}',
    )
    if run.name in clashing
    else run
    for run in runs
  ]


def runs_by_name(runs: Iterable[Run]) -> dict[str, list[Run]]:
  """Runs by name, in the order of names and seeds."""
  groups = {}
  for run in sorted(runs, key=lambda run: (run.name, run.seed)):
    groups.setdefault(run.name, []).append(run)
  return groups


def hierarchy_of(run: Run) -> Hierarchy:
  """The tree that a run's record holds.

  Raises:
    ReportError: if it holds none.
  """
  try:
    return Hierarchy.from_paths(run.record['classes'], sep='\t')
  except HierarchyError as error:
    raise ReportError(
      f'{run.folder / "run.json"}: the classes are no hierarchy: {error}'
    ) from None


# --- Predictions -------------------------------------------------------------

PREDICTIONS = 'predictions.npz'

# What it may hold beside labels and predictions.
_ARRAYS = ('confidences', 'class_means', 'frame', 'severe', 'severe_images')


def check_files(run: Run, num_classes: int):
  """Reads all files of a run once, before work begins.

  Raises:
    ReportError: if one is damaged, or is not what it should be.
  """
  for name in (METRICS, COLLAPSE):
    read_lines(run.folder / name)
  read_predictions(run, num_classes, _ARRAYS)


def read_predictions(
  run: Run, num_classes: int, names: Sequence[str]
) -> dict[str, np.ndarray] | None:
  """Some arrays of a run's `predictions.npz`, None without the file.

  Args:
    run: whose.
    num_classes: K.
    names: of the arrays; 'labels' and 'predictions', int[N], always come too.
      Those that the file lacks are left out.

  Raises:
    ReportError: if the file is damaged, or an array is not what it should be.
  """
  file = run.folder / PREDICTIONS
  if not file.exists():
    return None
  wanted = ('labels', 'predictions', *names)
  try:
    found = load_archive(file, wanted)
  except (OSError, ArrayError) as error:
    raise _bad(run, f'is damaged ({describe_error(error)})') from None
  _check_predictions(run, found, num_classes)
  return found


def _bad(run: Run, problem: str) -> ReportError:
  return ReportError(
    f'{run.folder / PREDICTIONS} {problem}: make it again with '
    f'`{evaluate_command(run.folder)}`.'
  )


def evaluate_command(*folders: str | os.PathLike) -> str:
  """What measures some runs again, and so writes the files they lack."""
  flag = f'--workdir={",".join(map(str, folders))}'
  return f'python -m hafjax.evaluate {shlex.quote(flag)}'


def _check_predictions(run, found, num_classes):
  for name in ('labels', 'predictions'):
    if name not in found:
      raise _bad(run, f'has no {name!r}')
  count = np.size(found['labels'])
  if not count:
    raise _bad(run, 'holds no images')
  chosen = np.size(found.get('severe', ()))
  for name, shape, kinds, limit in (
    ('labels', (count,), 'iu', num_classes),
    ('predictions', (count,), 'iu', num_classes),
    ('confidences', (count,), 'f', None),
    ('class_means', (num_classes, None), 'f', None),
    ('frame', (num_classes, None), 'f', None),
    ('severe', (chosen,), 'iu', count),
    ('severe_images', (chosen, None, None, None), 'u', None),
  ):
    array = found.get(name)
    if array is None:
      continue
    fits = array.ndim == len(shape) and all(
      size in (None, got) for size, got in zip(shape, array.shape, strict=True)
    )
    if not fits:
      raise _bad(
        run, f'holds {name!r} of shape {list(array.shape)}, which does not fit'
      )
    if not array.size:
      continue  # Whatever its type.
    if array.dtype.kind not in kinds:
      raise _bad(run, f'holds {name!r} of type {array.dtype}')
    if limit is not None and ((array < 0) | (array >= limit)).any():
      raise _bad(run, f'holds {name!r} that are not all in 0..{limit - 1}')
  images = found.get('severe_images')
  if images is not None and not _are_images(images):
    raise _bad(run, f"holds 'severe_images' that are none, {images.dtype}")


def _are_images(array: np.ndarray) -> bool:
  _, height, width, channels = array.shape
  grey_or_colour = height and width and channels in (1, 3)
  return not len(array) or bool(array.dtype == np.uint8 and grey_or_colour)
