# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Several processes that train together, each on devices of its own."""

import jax
import numpy as np

from hafjax.errors import UserError
from hafjax.files.text import describe_error


class ProcessesError(UserError):
  """Processes that cannot find each other; says what to do."""


def join(coordinator: str = '', count: int | None = None, number: int = -1):
  """Meets the other processes; before anything else of JAX is used.

  Args:
    coordinator: 'HOST:PORT' of process 0; '' where the cluster tells (Cloud
      TPU, SLURM, Open MPI).
    count: of all processes, with a coordinator.
    number: of this one, from 0, with a coordinator.

  Raises:
    ProcessesError: if they do not meet.
  """
  given = dict(
    coordinator_address=coordinator, num_processes=count, process_id=number
  )
  if coordinator and (count is None or not 0 <= number < count):
    raise ProcessesError(
      f'With --coordinator, --num_processes must say how many processes there '
      f'are and --process_id which this is, from 0: got {count} and {number}.'
    )
  try:
    jax.distributed.initialize(**(given if coordinator else {}))
  except (RuntimeError, ValueError) as error:
    raise ProcessesError(
      f'The processes do not meet ({describe_error(error)}): start all of '
      'them with the same --coordinator=HOST:PORT and --num_processes, and '
      '--process_id from 0 on.'
    ) from error


def is_first() -> bool:
  """Whether this process is the one that writes what is not sharded."""
  return jax.process_index() == 0


def wait_for_all(name: str):
  """Returns when all processes are here."""
  if jax.process_count() > 1:
    from jax.experimental import multihost_utils

    with jax.transfer_guard('allow'):
      multihost_utils.sync_global_devices(name)


def agreed(number: int) -> int:
  """The first process's number, on all of them."""
  if jax.process_count() == 1:
    return number
  from jax.experimental import multihost_utils

  with jax.transfer_guard('allow'):
    return int(multihost_utils.broadcast_one_to_all(np.int32(number)))
