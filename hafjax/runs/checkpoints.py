# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of a run, by Orbax: saved in the background, restored sharded."""

from collections.abc import Callable, Collection
import os
import pathlib
import time

from absl import logging
import jax
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers

from hafjax.files import jsonl
from hafjax.files.text import describe_error
from hafjax.runs.record import CheckpointError
from hafjax.runtime import processes

BEST_BY = 'val_top1'
# Less than any: Orbax asks a metric of every checkpoint.
_NOT_EVALUATED = -1.0
# Files of JSON in each of Orbax's checkpoints.
_METADATA = ('_CHECKPOINT_METADATA', 'metrics/metrics', 'default/_METADATA')


def is_new(folder: str | os.PathLike) -> bool:
  """Whether nothing is saved yet in a run's folder."""
  folder = pathlib.Path(folder) / 'checkpoints'
  return not folder.exists() or not ocp.utils.checkpoint_steps(folder)


class Checkpoints:
  """The checkpoints in a run's folder: the latest two, the best, and some kept.

  Of several processes, each writes what its devices hold.
  """

  def __init__(
    self,
    folder: pathlib.Path,
    writing: Callable,
    *,
    kept: Collection[int] = (),
    owned: bool = False,
    put_aside: bool = False,
  ):
    """Opens them.

    Args:
      folder: the run's.
      writing: context manager that tells what could not be written, see
        `Workdir.writing`.
      kept: steps whose checkpoints stay, beside the latest and the best.
      owned: whether this process alone writes here, and may clean up.
      put_aside: whether damaged ones are moved to `damaged/`; else they are an
        error.

    Raises:
      CheckpointError: if one is damaged.
    """
    self._folder, self._writing = folder, writing
    if processes.is_first():
      self._check_metadata(put_aside)
    processes.wait_for_all('checkpoints are checked')
    self._manager = ocp.CheckpointManager(
      folder / 'checkpoints',
      options=ocp.CheckpointManagerOptions(
        best_fn=lambda metrics: metrics[BEST_BY],
        # What a killed run was writing when it was killed.
        cleanup_tmp_directories=owned,
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

  def _check_metadata(self, put_aside: bool):
    """Finds damaged metadata, with which Orbax would not even start."""
    for folder in sorted((self._folder / 'checkpoints').glob('[0-9]*')):
      if not folder.name.isdigit():
        continue  # Orbax is, or was, writing it.
      try:
        for name in _METADATA:
          jsonl.read(folder / name)
      except (OSError, jsonl.JsonError) as error:
        problem = (
          f'The checkpoint of step {folder.name} in {self._folder} cannot be '
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
      aside = self._folder / 'damaged' / f'{step}_{time.time_ns()}'
      aside.parent.mkdir(exist_ok=True)
      os.replace(self._folder / 'checkpoints' / str(step), aside)

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
        f'The checkpoint of step {step} in {self._folder} cannot be read '
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
    if any((self._folder / 'damaged').glob('*')):
      raise CheckpointError(
        f'No checkpoint in {self._folder} can be read; they are in its folder '
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

  def reached_preemption(self, step: int) -> bool:
    """Whether any of several processes was asked to stop."""
    return self._manager.reached_preemption(step)

  def steps(self) -> list[int]:
    """Steps of the saved states, ascending."""
    return sorted(self._manager.all_steps())

  def close(self):
    try:
      self._manager.close()
    except Exception as error:  # What could not be written was told before.
      logging.debug('Closing %s: %s', self._folder, error)
