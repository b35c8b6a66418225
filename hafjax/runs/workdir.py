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
    predictions.npz  of the test split, see `train.predictions`
    results.json   written last: its presence means that the run is done

Continuing under another record is refused. Of several processes the first
writes, but for checkpoints, of which each writes what its devices hold; they
share the directory.
"""

from collections.abc import Callable, Collection, Mapping
import contextlib
import fcntl
import os
import pathlib

import numpy as np

from hafjax.files import jsonl
from hafjax.files.text import describe_error
from hafjax.runs import record as records
from hafjax.runs import schema
from hafjax.runs.checkpoints import Checkpoints
from hafjax.runs.logs import Logs
from hafjax.runs.record import CheckpointError
from hafjax.runtime import processes


class Workdir:
  """A run's folder: its checkpoints, logs and results.

  Attributes:
    folder: absolute path.
    checkpoints: saved states.
    logs: of metrics and of measures of collapse.
  """

  def __init__(
    self,
    folder: str | os.PathLike,
    record: dict,
    identity: Callable[[Mapping], dict],
    *,
    create: bool = True,
    kept: Collection[int] = (),
  ):
    """Opens a folder for a run, new or to be continued.

    Args:
      folder: the directory; made if it does not exist.
      record: what the run is, from `record.describe`.
      identity: recorded config -> what has to be the same for the same run.
      create: whether a new run may start here.
      kept: steps whose checkpoints stay, beside the latest and the best.

    Raises:
      CheckpointError: if another run's files are there, nothing can be written,
        or there is no run and none may start.
    """
    self.folder = pathlib.Path(folder).absolute()
    self._lock = self.checkpoints = None
    records.check(self.folder, record, identity, create)
    run_file = self.folder / 'run.json'
    try:
      if processes.is_first() and not run_file.exists():
        self.folder.mkdir(parents=True, exist_ok=True)
        jsonl.write_json(run_file, record)
    except OSError as error:
      raise CheckpointError(
        f'The working directory {self.folder} cannot be written: {error}.'
      ) from error
    if create and self.results() is None:
      # Before anything is put aside or cleaned up: another process may be
      # writing it.
      self.claim()
    self.logs = Logs(self.folder, self.writing)
    self.checkpoints = Checkpoints(
      self.folder,
      self.writing,
      kept=kept,
      owned=self._lock is not None,
      put_aside=create,
    )

  def results(self) -> dict | None:
    """Content of results.json; None while the run is not done."""
    file = self.folder / 'results.json'
    return records.read_json(file, _check_results) if file.exists() else None

  def claim(self):
    """Makes sure that no other process trains here until this one ends.

    Once claimed, it stays so.

    Raises:
      CheckpointError: if one does, or nothing can be written.
    """
    if self._lock is not None or not processes.is_first():
      return
    with self.writing('run.lock'):
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

  @contextlib.contextmanager
  def writing(self, what: str):
    """Context in which errors of writing become sentences for the user."""
    try:
      yield
    except CheckpointError:
      raise
    except Exception as error:  # Orbax and TensorStore raise many kinds.
      saved = self.checkpoints.steps() if self.checkpoints else []
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

  def save_arrays(self, arrays: dict[str, np.ndarray], name: str):
    """Writes NAME.npz, whole or not at all."""
    if not processes.is_first():
      return
    temporary = self.folder / f'{name}.tmp.npz'
    with self.writing(f'{name}.npz'):
      np.savez_compressed(temporary, **arrays)
      os.replace(temporary, self.folder / f'{name}.npz')

  def finish(self, results: dict):
    """Writes results.json: the run is done."""
    if not processes.is_first():
      return
    with self.writing('results.json'):
      jsonl.write_json(self.folder / 'results.json', results)

  def close(self):
    """Ends all writing, and lets other processes train here."""
    if self.checkpoints is not None:
      self.checkpoints.close()
    if self._lock is not None:
      self._lock.close()


def _check_results(results):
  schema.check_results(results)
  schema.need(results, best_step=int)
