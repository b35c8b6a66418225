# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a run is: the record in `run.json`, and whether two are the same run."""

from collections.abc import Callable, Mapping
import hashlib
import json
import os
import pathlib

import numpy as np

import hafjax
from hafjax.errors import UserError
from hafjax.files import jsonl
from hafjax.files.text import describe_error
from hafjax.files.text import quote
from hafjax.files.text import shorten
from hafjax.runs import schema

# Of random numbers during training, see `train.step.augmentation_key`: those of
# version 0.1.0, whose records name no version, and the present ones.
FIRST_STREAMS, STREAMS = 1, 2


class CheckpointError(UserError):
  """A working directory that this run cannot use; says why and what to do."""


def describe(config, data) -> dict:
  """The record of a run, as JSON values.

  Args:
    config: the run's.
    data: its `data.DataSet`.

  Returns:
    'version' of hafjax; 'config'; 'classes', their paths; 'training_data', a
    fingerprint of the training split; 'distances', a hash of the user's own
    distances, where there are any; 'init_from', a hash of the file of initial
    weights, where there is one.
  """
  config = json.loads(config.to_json())
  record = dict(
    version=hafjax.__version__,
    config=config,
    # By tabs: names may contain a slash where they came as edges.
    classes=data.hierarchy.paths(sep='\t'),
    training_data=_fingerprint(data.splits['train']),
  )
  if data.kind is None:
    # The user's own, from a file that may change.
    record['distances'] = hashlib.sha256(data.distances.tobytes()).hexdigest()
  if config.get('init_from'):
    record['init_from'] = _digest(config['init_from'])
  return record


def _fingerprint(split) -> str:
  """Identifies a training split, wherever its files are."""
  digest = hashlib.sha256(np.asarray(split.labels, np.int32).tobytes())
  if len(split.example_shape) == 1:
    # Features of another network have the same labels. (Images are not read:
    # another release of a decoder may round otherwise.)
    some = np.linspace(0, len(split) - 1, 8).astype(int)
    digest.update(np.ascontiguousarray(split.batch(some)).tobytes())
  return f'{len(split)} examples, {digest.hexdigest()[:16]}'


def _digest(file: str) -> str:
  """The hash of a file; '' where it is gone, as it may be once it was read."""
  try:
    with open(file, 'rb') as stream:
      return hashlib.file_digest(stream, 'sha256').hexdigest()
  except OSError:
    return ''


def read_record(folder: str | os.PathLike) -> dict:
  """The record of the run in a folder; see `describe`.

  Raises:
    CheckpointError: if there is no run, or its record is damaged.
  """
  file = pathlib.Path(folder) / 'run.json'
  if not file.exists():
    raise CheckpointError(f'{folder} holds no run: {file.name} is missing.')
  return read_json(file, schema.check_record)


def streams(folder: str | os.PathLike) -> int:
  """Which random numbers the run in a folder trains with.

  Returns:
    `FIRST_STREAMS` of a run that version 0.1.0 began, else `STREAMS`.
  """
  if not (pathlib.Path(folder) / 'run.json').exists():
    return STREAMS
  return STREAMS if 'version' in read_record(folder) else FIRST_STREAMS


def read_json(file: pathlib.Path, check: Callable):
  """The content of a file, if `check` does not raise RunFileError."""
  try:
    content = jsonl.read(file)
    check(content)
    return content
  except (OSError, jsonl.JsonError) as error:
    problem = f'cannot be read ({describe_error(error)})'
  except schema.RunFileError as error:
    problem = str(error)
  raise CheckpointError(
    f'{file} {problem}: restore it, or use a new --workdir.'
  )


def _differences(old, new, name='') -> list[str]:
  if isinstance(old, dict) and isinstance(new, dict):
    found = []
    for key in sorted(old.keys() | new.keys()):
      key_words = shorten(key, 60)
      inner = f'{name}.{key_words}' if name else key_words
      found += _differences(old.get(key), new.get(key), inner)
    return found
  if old == new:
    return []
  if isinstance(old, list) and len(str(old)) > 80:
    return [f'{name} (the hierarchy)' if name == 'classes' else name]
  was, now = (quote(value, 80) for value in (old, new))
  return [f'{name} (was {was}, now {now})']


def _listed(differences: list[str], most: int = 5) -> str:
  more = len(differences) - most
  return ', '.join(differences[:most]) + (f' and {more} more' * (more > 0))


def check(
  folder: str | os.PathLike,
  record: dict,
  identity: Callable[[Mapping], dict],
  create: bool = True,
):
  """Makes sure that a run may be in a directory; writes nothing.

  Args:
    folder: the directory, which need not exist.
    record: of the run, from `describe`.
    identity: recorded config -> what has to be the same.
    create: whether a new run may start there.

  Raises:
    CheckpointError: if another run's files are there, or there is no run and
      none may start.
  """
  folder = pathlib.Path(folder).absolute()
  if not (folder / 'run.json').exists():
    if create:
      return
    raise CheckpointError(
      f'{folder} holds no run to evaluate: check --workdir, or train first, '
      'with --config.mode=train.'
    )
  recorded = read_record(folder)
  if 'training_data' not in recorded:
    # Recorded before `training_data` existed.
    record = record | dict(training_data=None)
  if record.get('init_from') == '' and 'init_from' in recorded:
    # The file of initial weights is gone, as it may be once it was read.
    record = record | dict(init_from=recorded['init_from'])
  differences = _differences(
    *(
      r | dict(version='', config=identity(r['config']))
      for r in (recorded, record)
    )
  )
  if differences:
    raise CheckpointError(
      f'{folder} holds a run that differs in {_listed(differences)}: use '
      'another --workdir, or the settings that it was started with.'
    )
