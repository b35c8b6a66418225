# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which examples make up a batch, and batches made on the host."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from absl import flags
import numpy as np

from hafjax.data import decode
from hafjax.data.splits import Split


def training_order(
  num_examples: int, batch_size: int, seed: int
) -> Sequence[np.ndarray]:
  """Which examples make up each step: a fresh shuffle every epoch.

  Args:
    num_examples: size of the training split.
    batch_size: examples a step. Batches run across epoch boundaries, so that
      every example is seen equally often.
    seed: fixes all of it.

  Returns:
    A sequence: `order[step]` is int64[batch_size], a function of the arguments
    and the step alone, which is why a resumed run needs no iterator state.
  """
  import grain

  return (
    grain.MapDataset.range(num_examples)
    .seed(seed)
    .shuffle()
    .repeat()
    .batch(batch_size)
  )


def evaluation_batches(
  num_examples: int, batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
  """Yields (indices, mask) of equal length that cover every example once.

  The last batch is padded with example 0, masked out: one compiled shape, on
  any number of devices, and nothing dropped or counted twice.
  """
  for start in range(0, num_examples, batch_size):
    indices = np.arange(start, start + batch_size, dtype=np.int32)
    mask = indices < num_examples
    yield np.where(mask, indices, 0), mask


def training_batches(
  split: Split,
  batch_size: int,
  seed: int,
  start: int,
  stop: int,
  rows: np.ndarray,
  workers: int = 0,
) -> Iterable[tuple[np.ndarray, np.ndarray]]:
  """Batches (images, labels) of steps, made on the host, ahead, in parallel.

  What is random about an image depends on the seed, the step and its position
  in the batch alone: neither on which process makes it nor on where a run was
  resumed.

  Args:
    split: of training.
    batch_size: examples a step.
    seed: fixes everything.
    start: the first step, from 0.
    stop: the step before which they end.
    rows: positions in the batch that are made, sorted.
    workers: see `_in_parallel`.
  """
  order = training_order(len(split), batch_size, seed)

  def make(step):
    indices = order[step]
    rng = np.random.default_rng([seed, step])
    return split.batch(indices, rng, rows), split.labels[indices[rows]]

  return _in_parallel(make, range(start, stop), workers)


def measured_batches(
  split: Split, batch_size: int, rows: np.ndarray, workers: int = 0
) -> Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]:
  """Batches (images, labels, mask) of `evaluation_batches`, made on the host.

  Args:
    split: that is covered.
    batch_size: examples a step.
    rows: positions in the batch that are made, sorted.
    workers: see `_in_parallel`.
  """
  batches = list(evaluation_batches(len(split), batch_size))

  def make(number):
    indices, mask = (values[rows] for values in batches[number])
    return split.batch(indices), split.labels[indices], mask

  return _in_parallel(make, range(len(batches)), workers)


def _in_parallel(make: Callable, numbers: range, workers: int) -> Iterable:
  """make(number) for all numbers, in order, a few ahead.

  Args:
    make: a batch's number -> tuple of arrays.
    numbers: consecutive.
    workers: processes, which unpickle `make`; 0 for a thread per CPU core.
  """
  import grain

  batches = grain.MapDataset.range(numbers.start, numbers.stop).map(make)
  threads = 1 if workers else decode.num_cores()
  options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=threads)
  batches = batches.to_iter_dataset(options)
  if workers:
    if not flags.FLAGS.is_parsed():
      # Grain reads flags of its own, which only our commands parse.
      flags.FLAGS.mark_as_parsed()
    batches = batches.mp_prefetch(grain.MultiprocessingOptions(workers))
  return batches
