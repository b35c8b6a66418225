# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Trains or evaluates one method in one directory.

    python -m hafjax.main --config=configs/quickstart.py --workdir=/tmp/run

The same command continues a run that was killed, and reports one that is done.

On several machines, start it on each with --distributed (Cloud TPU slices,
SLURM, Open MPI), or anywhere with --coordinator=HOST:PORT --num_processes=N
--process_id=I; they share the workdir.
"""

from absl import flags
from absl import logging
from ml_collections import config_flags

from hafjax.cli import runner
from hafjax.runtime import processes
from hafjax.train.run import train_and_evaluate

_CONFIG = config_flags.DEFINE_config_file(
  'config', None, 'What to run: configs/NAME.py[:VARIANT].', lock_config=True
)
_WORKDIR = flags.DEFINE_string(
  'workdir', None, 'Where checkpoints, logs and results go.'
)
_DISTRIBUTED = flags.DEFINE_boolean(
  'distributed', False, 'Whether other processes train too, as a cluster says.'
)
_COORDINATOR = flags.DEFINE_string(
  'coordinator', '', 'HOST:PORT of process 0, where no cluster says it.'
)
_NUM_PROCESSES = flags.DEFINE_integer(
  'num_processes', None, 'With --coordinator: how many processes there are.'
)
_PROCESS_ID = flags.DEFINE_integer(
  'process_id', -1, 'With --coordinator: which this is, from 0.'
)
flags.mark_flags_as_required(['config', 'workdir'])


def main():
  if _DISTRIBUTED.value or _COORDINATOR.value:
    processes.join(_COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value)
    if not processes.is_first():
      # One voice is enough.
      logging.set_verbosity(logging.WARNING)
  train_and_evaluate(_CONFIG.value, _WORKDIR.value)


if __name__ == '__main__':
  runner.run(main)
