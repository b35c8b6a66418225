# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""How fast images come from JPEG files, beside tf.data on the same files.

    python -m experiments.benchmarks.input

Writes JPEG files of about 400 x 300 pixels, and makes training batches of them:
decoded, a random resized crop of 224 pixels, as bytes. Ours in threads and in
processes, tf.data with its own parallelism (a partial decode of the crop, then
a bilinear resize, with and without antialiasing, which ours has). A second
table has images that are decoded once, and frozen features.
"""

import os
import pathlib
import tempfile
import time

from absl import app
from absl import flags
import numpy as np
import PIL.Image

from hafjax.data import decode
from hafjax.data import sampling
from hafjax.data.decode import ImageDecoder
from hafjax.data.splits import Arrays
from hafjax.runs import tables

NUM_IMAGES, BATCH, SIZE = 512, 64, 224
# Of a pass, after some that start it.
NUM_BATCHES = 16

_PASSES = flags.DEFINE_integer('passes', 4, 'The best of so many is shown.')


def write_images(folder: pathlib.Path) -> list[str]:
  """Smooth fields with some noise: about as many bytes as photographs have."""
  rng = np.random.default_rng(0)
  files = []
  for number in range(NUM_IMAGES):
    width, height = rng.integers(360, 440), rng.integers(270, 330)
    coarse = rng.integers(0, 256, (height // 16, width // 16, 3), np.uint8)
    field = PIL.Image.fromarray(coarse).resize((width, height))
    pixels = np.asarray(field) + rng.normal(0, 6, (height, width, 3))
    files.append(str(folder / f'{number}.jpg'))
    image = PIL.Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    image.save(files[-1], quality=90)
  return files


# --- Ways ---------------------------------------------------------------------


def ours(files, workers: int):
  """Batches from the files through the pipeline that training uses."""
  how = ImageDecoder(SIZE, random_crop='resized')
  split = decode.Files(files, np.zeros(len(files), np.int32), how)

  def batches():
    # Without end, as training has them: starting up is not counted.
    return iter(
      sampling.training_batches(
        split, BATCH, 0, 0, 10**6, np.arange(BATCH), workers
      )
    )

  return batches


def tf_data(files, antialias: bool):
  """The same by tf.data."""
  import tensorflow as tf

  def example(file, seed):
    content = tf.io.read_file(file)
    shape = tf.io.extract_jpeg_shape(content)
    begin, size, _ = tf.image.stateless_sample_distorted_bounding_box(
      shape,
      tf.zeros((0, 0, 4)),
      seed=tf.stack([seed, 0]),
      area_range=(0.08, 1.0),
      aspect_ratio_range=(3 / 4, 4 / 3),
      use_image_if_no_bounding_boxes=True,
    )
    window = tf.concat([begin[:2], size[:2]], 0)
    image = tf.io.decode_and_crop_jpeg(content, window, channels=3)
    image = tf.image.resize(image, (SIZE, SIZE), antialias=antialias)
    return tf.cast(tf.clip_by_value(tf.round(image), 0, 255), tf.uint8)

  def batches():
    source = tf.data.Dataset.from_tensor_slices(files).repeat()
    seeds = tf.data.Dataset.range(10**9)
    return iter(
      tf.data.Dataset.zip(source, seeds)
      .map(example, num_parallel_calls=tf.data.AUTOTUNE)
      .batch(BATCH, drop_remainder=True)
      .prefetch(2)
      .as_numpy_iterator()
    )

  return batches


def measured(ways: dict, passes: int) -> dict[str, list[float]]:
  """Images a second and CPU milliseconds an image, the best of passes in turns.

  The CPU's time hardly depends on what else a machine does, but that of other
  processes is not seen.
  """
  best = {name: [0.0, float('inf')] for name in ways}
  for _ in range(passes):
    for name, batches in ways.items():
      running = batches()
      for _ in range(4):
        next(running)
      began, cpu = time.perf_counter(), time.process_time()
      for _ in range(NUM_BATCHES):
        next(running)
      count = NUM_BATCHES * BATCH
      speed = count / (time.perf_counter() - began)
      cost = 1e3 * (time.process_time() - cpu) / count
      best[name] = [max(best[name][0], speed), min(best[name][1], cost)]
      # Its threads end, and leave the cores to the next.
      del running
  return best


# --- In memory ----------------------------------------------------------------


def gathered(passes: int) -> dict[str, float]:
  """Examples a second of splits that are kept on the host."""
  rng = np.random.default_rng(0)
  splits = {
    'images 32 x 32 x 3, decoded': rng.integers(
      0, 256, (20_000, 32, 32, 3), np.uint8
    ),
    'images 224 x 224 x 3, decoded': rng.integers(
      0, 256, (1_000, 224, 224, 3), np.uint8
    ),
    'features, 768': rng.normal(size=(20_000, 768)).astype(np.float32),
  }
  best = {}
  for name, array in splits.items():
    split = Arrays(array, np.zeros(len(array), np.int32))
    for _ in range(passes):
      batches = iter(
        sampling.training_batches(split, 256, 0, 0, 10**6, np.arange(256))
      )
      for _ in range(10):
        next(batches)
      began = time.perf_counter()
      for _ in range(40):
        next(batches)
      speed = 40 * 256 / (time.perf_counter() - began)
      best[name] = max(best.get(name, 0.0), speed)
  return best


def main(argv):
  if len(argv) > 1:
    raise app.UsageError('There are no arguments.')
  with tempfile.TemporaryDirectory() as folder:
    files = write_images(pathlib.Path(folder))
    size = np.mean([pathlib.Path(file).stat().st_size for file in files])
    cores, load = decode.num_cores(), os.getloadavg()[0]
    ways = {
      f'hafjax, {cores} threads': ours(files, 0),
      f'hafjax, {cores} processes': ours(files, cores),
      'tf.data, antialiased': tf_data(files, True),
      'tf.data, not antialiased': tf_data(files, False),
    }
    found = measured(ways, _PASSES.value)
  text = f"""# Speed of the host's input pipeline

`python -m experiments.benchmarks.input`, {cores} CPU cores that others used too
(a load of {load:.1f} at first); best of {_PASSES.value} passes over JPEG files
of about 400 x 300 pixels and {size / 1024:.0f} KiB, random resized crops of
{SIZE} pixels.

"""
  text += tables.markdown_table(
    ['training batches from JPEG files', 'images/s', 'CPU ms an image'],
    [
      [name, f'{speed:,.0f}', '' if 'processes' in name else f'{cost:.2f}']
      for name, (speed, cost) in found.items()
    ],
  )
  text += '\n\n' + tables.markdown_table(
    ['gathered from memory, batches of 256', 'examples/s'],
    [[name, f'{s:,.0f}'] for name, s in gathered(_PASSES.value).items()],
  )
  file = pathlib.Path(__file__).parent / 'results' / 'input_speed.md'
  file.write_text(text + '\n')
  print(text)


if __name__ == '__main__':
  app.run(main)
