# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Logs of a run: files of one JSON object a line, one line a step."""

from collections.abc import Callable
import pathlib

from hafjax.files import jsonl
from hafjax.files.text import describe_error
from hafjax.numerics.numbers import is_int
from hafjax.runs.record import CheckpointError
from hafjax.runtime import processes

METRICS, COLLAPSE = 'metrics', 'collapse'


class Logs:
  """NAME.jsonl in a run's folder; the first process writes them."""

  def __init__(self, folder: pathlib.Path, writing: Callable):
    """Opens them.

    Args:
      folder: the run's.
      writing: context manager that tells what could not be written.
    """
    self._folder, self._writing = folder, writing

  def append(self, record: dict, name: str = METRICS):
    """Adds a line to NAME.jsonl."""
    if not processes.is_first():
      return
    with self._writing(f'{name}.jsonl'):
      jsonl.append_line(self._folder / f'{name}.jsonl', record)

  def read(self, name: str = METRICS) -> list[dict]:
    """All lines of NAME.jsonl, but a half-written last one.

    Raises:
      CheckpointError: if another line is damaged.
    """
    file = self._folder / f'{name}.jsonl'
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

  def rewind(self, step: int):
    """Drops what was logged after `step`: it is about to happen again."""
    for name in (METRICS, COLLAPSE):
      if name == METRICS or self.read(name):
        kept = [r for r in self.read(name) if r['step'] <= step]
        self.rewrite(kept, name)

  def rewrite(self, records: list[dict], name: str):
    """Replaces NAME.jsonl."""
    if not processes.is_first():
      return
    with self._writing(f'{name}.jsonl'):
      jsonl.write_lines(self._folder / f'{name}.jsonl', records)
