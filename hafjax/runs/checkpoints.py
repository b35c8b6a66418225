# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""A run on disk: what it is, where it has got to, and what came out.

A working directory holds

    run.json       the config, class paths, distances' kind and the hash of the
                   first weights' file: what the run is
    checkpoints/   the two latest states, the best by validation top-1, and
                   those of every so many epochs, where asked for
    damaged/       checkpoints that could not be read
    run.lock       locked while a process trains here
    metrics.jsonl  one JSON object a line, as training went
    collapse.jsonl likewise, of measures of neural collapse, where asked for
    predictions.npz  of the test split, see `geometry.Geometry.predictions`
    results.json   written last: its presence means that the run is done

Continuing under another record is refused. Of several processes the first
writes, but for checkpoints, of which each writes what its devices hold; they
share the directory.
"""

from collections.abc import Callable, Collection
import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import time

from absl import logging
import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers

from hafjax.errors import UserError
from hafjax.files import jsonl
from hafjax.files.text import describe_error
from hafjax.files.text import quote
from hafjax.files.text import shorten
from hafjax.numerics.numbers import is_int
from hafjax.runs import schema
from hafjax.runtime import preemption
from hafjax.runtime import processes

# Fields that say where and how to run, not what the run is. The files of a
# hierarchy and of first weights may move: the class paths, and the hash of the
# weights, are in the record themselves.
_FREE_FIELDS = (
  'collapse',
  'data_dir',
  'eval',
  'eval_batch_size',
  'hierarchy',
  'init_from',
  'input',
  'keep_every',
  'ks',
  'log_seconds',
  'mesh',
  'mode',
  'profile',
  'save_minutes',
)

BEST_BY = 'val_top1'
# Less than any: Orbax asks a metric of every checkpoint.
_NOT_EVALUATED = -1.0
# Files of JSON in each of Orbax's checkpoints.
_METADATA = ('_CHECKPOINT_METADATA', 'metrics/metrics', 'default/_METADATA')


class CheckpointError(UserError):
  """A working directory that this run cannot use; says why and what to do."""


def write_json(file: pathlib.Path, value):
  """Writes JSON so that a kill leaves the old file or the new, whole."""
  temporary = file.with_name(file.name + '.tmp')
  temporary.write_text(json.dumps(value, indent=2) + '\n')
  os.replace(temporary, file)


def _read_json(file: pathlib.Path, check: Callable):
  """What a file holds, if `check` does not raise RunFileError."""
  try:
    found = jsonl.read(file)
    check(found)
    return found
  except (OSError, jsonl.JsonError) as error:
    problem = f'cannot be read ({describe_error(error)})'
  except schema.RunFileError as error:
    problem = str(error)
  raise CheckpointError(
    f'{file} {problem}: restore it, or use a new --workdir.'
  )


def read_record(folder: str | os.PathLike) -> dict:
  """What the run in a folder is; see `describe`.

  Raises:
    CheckpointError: if there is no run, or its record is damaged.
  """
  file = pathlib.Path(folder) / 'run.json'
  if not file.exists():
    raise CheckpointError(f'{folder} holds no run: {file.name} is missing.')
  return _read_json(file, schema.check_record)


def is_new(folder: str | os.PathLike) -> bool:
  """Whether a run there starts from the beginning, as nothing is saved yet."""
  folder = pathlib.Path(folder) / 'checkpoints'
  return not folder.exists() or not ocp.utils.checkpoint_steps(folder)


def describe(config, data) -> dict:
  """The record that makes two runs the same run, as JSON values.

  Args:
    config: the run's.
    data: its `data.DataSet`.
  """
  config = json.loads(config.to_json())
  record = dict(
    config=config,
    # By tabs: names may contain a slash where they came as edges.
    classes=data.hierarchy.paths(sep='\t'),
  )
  record['training_data'] = _fingerprint(data.splits['train'])
  if data.kind is None:
    # The user's own, from a file that may change.
    record['distances'] = hashlib.sha256(data.distances.tobytes()).hexdigest()
  if config.get('init_from'):
    record['init_from'] = _digest(config['init_from'])
  return record


def _fingerprint(split) -> str:
  """What tells one training split from another, wherever its files are."""
  found = hashlib.sha256(np.asarray(split.labels, np.int32).tobytes())
  if len(split.example_shape) == 1:
    # Features of another network have the same labels. (Images are not read:
    # another release of a decoder may round otherwise.)
    some = np.linspace(0, len(split) - 1, 8).astype(int)
    found.update(np.ascontiguousarray(split.batch(some)).tobytes())
  return f'{len(split)} examples, {found.hexdigest()[:16]}'


def _digest(file: str) -> str:
  """The hash of a file; '' where it is gone, as it may be once it was read."""
  try:
    with open(file, 'rb') as stream:
      return hashlib.file_digest(stream, 'sha256').hexdigest()
  except OSError:
    return ''


def _bound(record: dict) -> dict:
  """A record without what may change."""
  config = record['config'].items()
  return record | dict(
    config={name: v for name, v in config if name not in _FREE_FIELDS}
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


def _check_results(results):
  schema.check_results(results)
  schema.need(results, best_step=int)


def check(folder: str | os.PathLike, record: dict, create: bool = True):
  """Makes sure that a run may be in a directory; writes nothing.

  Args:
    folder: the directory, which need not exist.
    record: what the run is, from `describe`.
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
    # Of before it was told.
    record = record | dict(training_data=None)
  if record.get('init_from') == '' and 'init_from' in recorded:
    record = record | dict(init_from=recorded['init_from'])
  differences = _differences(_bound(recorded), _bound(record))
  if differences:
    raise CheckpointError(
      f'{folder} holds a run that differs in {_listed(differences)}: use '
      'another --workdir, or the settings that it was started with.'
    )


class Workdir:
  """Reads and writes a run's directory."""

  def __init__(
    self,
    folder: str | os.PathLike,
    record: dict,
    create: bool = True,
    kept: Collection[int] = (),
  ):
    """Opens a directory for a run, new or to be continued.

    Args:
      folder: the directory; made if it does not exist.
      record: what the run is, from `describe`.
      create: whether a new run may start here.
      kept: steps whose checkpoints stay, beside the latest and the best.

    Raises:
      CheckpointError: if another run's files are there, nothing can be written,
        or there is no run and none may start.
    """
    self.folder = pathlib.Path(folder).absolute()
    self._lock = self._manager = None
    check(self.folder, record, create)
    run_file = self.folder / 'run.json'
    try:
      if processes.is_first() and not run_file.exists():
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(run_file, record)
    except OSError as error:
      raise CheckpointError(
        f'The working directory {self.folder} cannot be written: {error}.'
      ) from error
    if create and self.results() is None:
      # Before anything is put aside or cleaned up: another process may be
      # writing it.
      self.claim()
    if processes.is_first():
      self._check_checkpoints(put_aside=create)
    processes.wait_for_all('checkpoints are checked')
    self._manager = ocp.CheckpointManager(
      self.folder / 'checkpoints',
      options=ocp.CheckpointManagerOptions(
        best_fn=lambda metrics: metrics[BEST_BY],
        # What a killed run was writing when it was killed.
        cleanup_tmp_directories=self._lock is not None,
        preservation_policy=checkpoint_managers.AnyPreservationPolicy(
          [
            # Two, in case that one is damaged.
            checkpoint_managers.LatestN(2),
            checkpoint_managers.CustomSteps(sorted(kept)),
            checkpoint_managers.BestN(
              get_metric_fn=lambda metrics: metrics[BEST_BY], n=1
            ),
          ]
        ),
      ),
    )

  def _check_checkpoints(self, put_aside: bool):
    """Finds those whose metadata are damaged: Orbax would not even start."""
    for folder in sorted((self.folder / 'checkpoints').glob('[0-9]*')):
      if not folder.name.isdigit():
        continue  # Orbax is, or was, writing it.
      try:
        for name in _METADATA:
          jsonl.read(folder / name)
      except (OSError, jsonl.JsonError) as error:
        problem = (
          f'The checkpoint of step {folder.name} in {self.folder} cannot be '
          f'read ({describe_error(error)})'
        )
        if not put_aside:
          raise CheckpointError(
            f'{problem}: bring its files back, or start training again, which '
            'goes on from the one before.'
          ) from error
        logging.warning('%s. It is put aside, in damaged/.', problem)
        self._put_aside(folder.name)

  def _put_aside(self, step: int | str):
    """Moves a checkpoint to damaged/."""
    with self._writing(f'The damaged checkpoint of step {step}'):
      aside = self.folder / 'damaged' / f'{step}_{time.time_ns()}'
      aside.parent.mkdir(exist_ok=True)
      os.replace(self.folder / 'checkpoints' / str(step), aside)

  def results(self) -> dict | None:
    """What came out, or None while the run is not done."""
    file = self.folder / 'results.json'
    return _read_json(file, _check_results) if file.exists() else None

  def claim(self):
    """Makes sure that no other process trains here until this one ends.

    Once claimed, it stays so.

    Raises:
      CheckpointError: if one does, or nothing can be written.
    """
    if self._lock is not None or not processes.is_first():
      return
    with self._writing('run.lock'):
      lock = open(self.folder / 'run.lock', 'a')
    try:
      fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      lock.close()
      raise CheckpointError(
        f'Another process is training in {self.folder}: wait for it, stop it, '
        'or use another --workdir.'
      ) from None
    self._lock = lock

  def save(
    self,
    step: int,
    state,
    val_top1: float | None = None,
    totals: dict[str, float] | None = None,
  ):
    """Saves in the background; keeps the two latest and the best.

    Args:
      step: after which.
      state: arrays.
      val_top1: None for a state that was not evaluated.
      totals: sums since the last evaluation, as JSON numbers.

    Raises:
      CheckpointError: if it, or the one before, cannot be written.
    """
    with self._writing(f'The checkpoint of step {step}'):
      self._manager.save(
        step,
        args=ocp.args.StandardSave(state),
        metrics={BEST_BY: _NOT_EVALUATED if val_top1 is None else val_top1},
        custom_metadata=dict(totals=totals or {}),
      )

  @contextlib.contextmanager
  def _writing(self, what: str):
    """Errors of writing as sentences."""
    try:
      yield
    except CheckpointError:
      raise
    except Exception as error:  # Orbax and TensorStore raise many kinds.
      saved = self.steps() if self._manager else []
      raise CheckpointError(
        f'{what} cannot be written in {self.folder} '
        f'({describe_error(error)}). '
        + (
          f'The run is saved up to step {saved[-1]}: '
          if saved
          else 'Nothing is saved yet: '
        )
        + 'make room, or see to its permissions, and start the same command '
        'again.'
      ) from error

  def latest_step(self) -> int | None:
    return self._manager.latest_step()

  def best_step(self) -> int | None:
    """Of the evaluated states; None if there is none."""
    step = self._manager.best_step()
    if step is None or self._manager.metrics(step)[BEST_BY] == _NOT_EVALUATED:
      return None
    return step

  def restore(self, step: int, state):
    """The state saved at `step`, on the devices that `state` is on.

    Args:
      step: of a checkpoint that is there.
      state: arrays, or their shapes, types and places.

    Raises:
      CheckpointError: if it is damaged.
    """
    target = jax.tree.map(ocp.tree.to_shape_dtype_struct, state)
    try:
      # Another mesh fills arrays up to other sizes, with zeros.
      return self._manager.restore(
        step, args=ocp.args.StandardRestore(target, strict=False)
      )
    except Exception as error:  # Orbax and TensorStore raise many kinds.
      raise CheckpointError(
        f'The checkpoint of step {step} in {self.folder} cannot be read '
        f'({describe_error(error)}): bring its files back, or train again in '
        'a new --workdir.'
      ) from error

  def restore_latest(self, state) -> tuple[int, object, dict] | None:
    """Step, state and totals of the latest checkpoint that can be read.

    Those that cannot are moved to `damaged/`, with a warning.

    Args:
      state: as for `restore`.

    Returns:
      None if nothing was saved yet.

    Raises:
      CheckpointError: if no checkpoint can be read.
    """
    for step in reversed(self.steps()):
      try:
        restored = self.restore(step, state)
        totals = self._manager.metadata(step).custom_metadata['totals']
        return step, restored, totals
      except (CheckpointError, KeyError, TypeError) as error:
        logging.warning('%s It is put aside, in damaged/.', error)
        if processes.is_first():
          self._put_aside(step)
        processes.wait_for_all(f'checkpoint {step} is put aside')
        self._manager.reload()
    if any((self.folder / 'damaged').glob('*')):
      raise CheckpointError(
        f'No checkpoint in {self.folder} can be read; they are in its folder '
        'damaged/: bring their files back to checkpoints/, or train again in a '
        'new --workdir.'
      )
    return None

  def wait(self):
    """Returns when everything that was saved is on disk.

    Raises:
      CheckpointError: if it cannot be written.
    """
    with self._writing('The last checkpoint'):
      self._manager.wait_until_finished()

  def asked_to_stop(self, step: int, signals: preemption.StopSignal) -> bool:
    """Whether this process, or any of several, was asked to stop."""
    if jax.process_count() == 1:
      return signals.received is not None
    return self._manager.reached_preemption(step)

  def close(self):
    try:
      self._manager.close()
    except Exception as error:  # What could not be written was told before.
      logging.debug('Closing %s: %s', self.folder, error)
    if self._lock is not None:
      self._lock.close()

  # --- the log

  def log(self, record: dict, name: str = 'metrics'):
    """Appends a line to NAME.jsonl."""
    if not processes.is_first():
      return
    with self._writing(f'{name}.jsonl'):
      with open(self.folder / f'{name}.jsonl', 'a') as stream:
        stream.write(json.dumps(record) + '\n')

  def history(self, name: str = 'metrics') -> list[dict]:
    """All lines of NAME.jsonl; a half-written last one is left out.

    Raises:
      CheckpointError: if another line is damaged.
    """
    file = self.folder / f'{name}.jsonl'
    try:
      records = jsonl.read_lines(file)
      for number, record in enumerate(records, 1):
        step = record.get('step')
        if not is_int(step) or step < 0:
          raise jsonl.JsonError(f'line {number} has no step')
    except OSError as error:
      raise CheckpointError(
        f'{file} cannot be read: {describe_error(error)}.'
      ) from error
    except jsonl.JsonError as error:
      raise CheckpointError(
        f'{file}, {error}: take the line out, or use a new --workdir.'
      ) from error
    return records

  def rewind_log(self, step: int):
    """Drops what was logged after `step`: it is about to happen again."""
    for name in ('metrics', 'collapse'):
      if name == 'metrics' or self.history(name):
        kept = [r for r in self.history(name) if r['step'] <= step]
        self.rewrite(kept, name)

  def rewrite(self, records: list[dict], name: str):
    """Replaces NAME.jsonl."""
    if not processes.is_first():
      return
    file = self.folder / f'{name}.jsonl'
    temporary = file.with_name(file.name + '.tmp')
    with self._writing(file.name):
      temporary.write_text(''.join(json.dumps(r) + '\n' for r in records))
      os.replace(temporary, file)

  def save_arrays(self, arrays: dict[str, np.ndarray], name: str):
    """Writes NAME.npz, whole or not at all."""
    if not processes.is_first():
      return
    temporary = self.folder / f'{name}.tmp.npz'
    with self._writing(f'{name}.npz'):
      np.savez_compressed(temporary, **arrays)
      os.replace(temporary, self.folder / f'{name}.npz')

  def steps(self) -> list[int]:
    """Of the checkpoints that are there."""
    return sorted(self._manager.all_steps())

  def finish(self, results: dict):
    """Writes results.json: the run is done."""
    if not processes.is_first():
      return
    with self._writing('results.json'):
      write_json(self.folder / 'results.json', results)
