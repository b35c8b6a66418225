# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Images in files: decoded, cropped and resized on the host, or cached.

Resizing is bilinear over the whole footprint of a pixel (antialiased), as
Pillow's and torchvision's of Pillow images is. A camera's orientation tag is
ignored: the pixels are taken as they are in the file.
"""

from collections.abc import Sequence
import concurrent.futures
import dataclasses
import errno
import hashlib
import io
import os
import pathlib
import time

from absl import logging
import numpy as np
import PIL.Image

from hafjax.data.errors import DataError
from hafjax.data.splits import Arrays
from hafjax.files.arrays import ArrayError
from hafjax.files.arrays import load_array

SUFFIXES = ('.jpg', '.jpeg', '.png')

# Of random resized crops: the share of the image that is shown, and the ratio
# of width to height (Szegedy et al., CVPR 2015, as torchvision has them).
_AREA = (0.08, 1.0)
_RATIO = (3 / 4, 4 / 3)
_ATTEMPTS = 10

# To be raised when `read_image` returns something else: old caches of decoded
# images are not used then.
_VERSION = 1
# What Pillow's decoders raise for files that are damaged or too large.
_FAILURES = (
  OSError,
  ValueError,
  SyntaxError,
  PIL.Image.DecompressionBombError,
)
_MODES = {1: 'L', 3: 'RGB'}


@dataclasses.dataclass(frozen=True)
class ImageDecoder:
  """How an image file becomes an array.

  Attributes:
    size: height and width in pixels, whatever the file's: images are stretched.
    channels: 3 or, for gray, 1.
    cut_bottom: rows of the file that are cut off at the bottom.
    random_crop: of training images: '' for none, 'resized' for random resized
      crops, 'stretched' for those of the image once stretched to a square, as
      data sets that were stored as squares have them.
  """

  size: int
  channels: int = 3
  cut_bottom: int = 0
  random_crop: str = ''

  @classmethod
  def from_config(
    cls, config, random_crop: str = '', **options
  ) -> 'ImageDecoder':
    """The decoder of a data set.

    Args:
      config: a run's; its `image_size` and `random_crop` are used.
      random_crop: what the data set's publication uses, where the config says
        nothing.
      **options: further attributes.
    """
    chosen = config.get('random_crop')
    return cls(
      size=config.image_size or 224,
      random_crop=random_crop if chosen is None else chosen,
      **options,
    )


# --- One image ---------------------------------------------------------------


def random_box(draws: np.ndarray, width: float, height: float) -> tuple:
  """The box of a random resized crop: area and aspect ratio, then position.

  Args:
    draws: uniform in [0, 1), float[attempts, 4].
    width: of the image.
    height: of the image.

  Returns:
    (left, top, right, bottom), not rounded to whole pixels; where no attempt
    fits, the largest centered box of an allowed ratio.
  """
  for area, ratio, across, down in draws:
    area = width * height * (_AREA[0] + area * (_AREA[1] - _AREA[0]))
    ratio = _RATIO[0] * (_RATIO[1] / _RATIO[0]) ** ratio
    wide, high = (area * ratio) ** 0.5, (area / ratio) ** 0.5
    if wide <= width and high <= height:
      left, top = across * (width - wide), down * (height - high)
      return left, top, left + wide, top + high
  wide = min(width, height * _RATIO[1])
  high = min(height, width / _RATIO[0])
  left, top = (width - wide) / 2, (height - high) / 2
  return left, top, left + wide, top + high


def _box(draws, width, height, decoder: ImageDecoder) -> tuple:
  """The part of an image that is shown."""
  height = max(height - decoder.cut_bottom, 1)
  if draws is None:
    return 0, 0, width, height
  if decoder.random_crop == 'resized':
    return random_box(draws, width, height)
  box = random_box(draws, 1.0, 1.0)
  return tuple(b * n for b, n in zip(box, (width, height) * 2, strict=True))


def read_image(
  file: str | bytes | os.PathLike | io.BytesIO,
  decoder: ImageDecoder,
  draws: np.ndarray | None = None,
) -> np.ndarray:
  """Decodes a JPEG or PNG file, crops and resizes it.

  Args:
    file: path, or a stream.
    decoder: size and so on.
    draws: for the random crop, see `random_box`; None for the whole image.

  Returns:
    uint8[size, size, channels].

  Raises:
    DataError: if it is not an image, or damaged.
  """
  mode, size = _MODES[decoder.channels], decoder.size
  try:
    with PIL.Image.open(file, formats=('JPEG', 'PNG')) as image:
      width, height = image.size
      box = _box(draws, width, height, decoder)
      # JPEG files decode to 1/2, 1/4 or 1/8 of their size at lower cost: as
      # long as no more detail is lost than resizing would lose anyway.
      shrink = min(box[2] - box[0], box[3] - box[1]) / size
      if shrink >= 2:
        image.draft(mode, (int(width / shrink), int(height / shrink)))
      across, down = image.width / width, image.height / height
      if decoder.cut_bottom:
        # Not by the box alone: resizing reads a little beyond its edges.
        rows = max(int((height - decoder.cut_bottom) * down), 1)
        image = image.crop((0, 0, image.width, rows))
      box = tuple(
        min(edge * scale, limit)
        for edge, scale, limit in zip(
          box, (across, down) * 2, image.size * 2, strict=True
        )
      )
      image = _eight_bit(image)
      if image.mode != mode:
        image = image.convert(mode)
      image = image.resize((size, size), PIL.Image.Resampling.BILINEAR, box)
  except _FAILURES as error:
    stream = isinstance(file, io.BytesIO)
    name = 'An image of the data set' if stream else os.fsdecode(file)
    why = error
    if isinstance(error, PIL.UnidentifiedImageError):
      why = 'it does not begin as one'  # Pillow would name the file again.
    raise DataError(
      f'{name} cannot be read as a JPEG or PNG image ({why}): replace it or '
      'take it out.'
    ) from error
  return np.asarray(image).reshape(size, size, decoder.channels)


def _eight_bit(image: PIL.Image.Image) -> PIL.Image.Image:
  """The high bytes of images of 16 bits a pixel, which Pillow would clip."""
  if not image.mode.startswith('I'):
    return image
  return PIL.Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))


# --- A split -----------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Files:
  """A `Split` of images in files, decoded when they are needed.

  Attributes:
    files: paths, or a sequence of streams.
    labels: class indices, int32[N].
    decoder: how files are read.
    are_streams: whether `files` are streams.
  """

  files: Sequence
  labels: np.ndarray
  decoder: ImageDecoder
  are_streams: bool = False

  def __len__(self) -> int:
    return len(self.labels)

  @property
  def example_shape(self) -> tuple[int, int, int]:
    return self.decoder.size, self.decoder.size, self.decoder.channels

  @property
  def dtype(self) -> np.dtype:
    return np.dtype(np.uint8)

  @property
  def nbytes(self) -> int:
    return len(self) * self.decoder.size**2 * self.decoder.channels

  def take(self, indices: np.ndarray) -> 'Files':
    """The examples at `indices`."""
    indices = np.asarray(indices)
    return dataclasses.replace(
      self,
      files=_Chosen.of(self.files, indices),
      labels=self.labels[indices],
    )

  def with_labels(self, labels: np.ndarray) -> 'Files':
    return dataclasses.replace(self, labels=labels)

  def batch(
    self, indices: np.ndarray, rng=None, rows=slice(None)
  ) -> np.ndarray:
    """uint8[R, size, size, channels], randomly cropped where there is an rng.

    Args:
      indices: of the whole batch, int[B].
      rng: of the step; image i takes its i-th draws, used or not.
      rows: positions in the batch that are made, R of them; all by default.
    """
    draws = None
    if rng is not None and self.decoder.random_crop:
      draws = rng.random((len(indices), _ATTEMPTS, 4))[rows]
    indices = indices[rows]
    if draws is None:
      draws = [None] * len(indices)
    images = np.empty((len(indices), *self.example_shape), np.uint8)
    for row, (index, drawn) in enumerate(zip(indices, draws, strict=True)):
      images[row] = read_image(self.files[index], self.decoder, drawn)
    return images


class _Chosen(Sequence):
  """Some elements of a sequence, without a copy of it."""

  def __init__(self, files: Sequence, indices: np.ndarray):
    self._files, self._indices = files, indices

  @classmethod
  def of(cls, files: Sequence, indices: np.ndarray) -> '_Chosen':
    if isinstance(files, cls):
      return cls(files._files, files._indices[indices])
    return cls(files, indices)

  def __len__(self) -> int:
    return len(self._indices)

  def __getitem__(self, index: int):
    return self._files[self._indices[index]]


# --- Cache of decoded images --------------------------------------------------


def cache_folder(name: str) -> pathlib.Path:
  """Where decoded images are kept; `name` is `config.input.cache_dir`."""
  if name:
    return pathlib.Path(name)
  home = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
  return pathlib.Path(home).expanduser() / 'hafjax'


def decoded(split: Files, folder: pathlib.Path, name: str) -> Arrays:
  """A split's images, decoded once and read from one file from then on.

  The file is named by a hash of all paths, their sizes and times of change, and
  the decoder: when one of them changes, images are decoded again. Old files may
  be deleted at any time.

  Args:
    split: of images with paths, small enough.
    folder: for the file.
    name: of the split, for the log.

  Raises:
    DataError: if an image cannot be read, or the file cannot be written.
  """
  decoder = dataclasses.replace(split.decoder, random_crop='')
  split = dataclasses.replace(split, decoder=decoder)
  file = folder / f'{_fingerprint(split)}.npy'
  try:
    if not file.exists():
      folder.mkdir(parents=True, exist_ok=True)
      logging.info(
        'Decoding %s images of %s into %s.', f'{len(split):,}', name, file
      )
      _write(split, file)
    return Arrays(load_array(file, 'r'), split.labels)
  except ArrayError as error:
    raise DataError(
      f'{file}, of decoded images, is damaged ({error}): delete it.'
    ) from error
  except OSError as error:
    raise DataError(
      f'Decoded images cannot be kept in {folder} ({error}): name another '
      'folder by --config.input.cache_dir, or decode them as they are needed, '
      'by --config.input.memory_gib=0.'
    ) from error


def _fingerprint(split: Files) -> str:
  digest = hashlib.sha256(_identity(split.decoder).encode())
  for path in split.files:
    try:
      status = os.stat(path)
    except OSError as error:
      raise DataError(
        f'{os.fsdecode(path)} cannot be read: {error}.'
      ) from error
    facts = (os.path.abspath(path), status.st_size, status.st_mtime_ns)
    digest.update(repr(facts).encode())
  return digest.hexdigest()[:32]


def _identity(decoder: ImageDecoder) -> str:
  """A decoder in words that do not change with names in the code."""
  return (
    f'({_VERSION}, Reading(size={decoder.size!r}, '
    f'channels={decoder.channels!r}, cut_bottom={decoder.cut_bottom!r}, '
    f'random_crop={decoder.random_crop!r}))'
  )


def _write(split: Files, file: pathlib.Path):
  """Decodes in threads, into a file that appears only when it is complete."""
  temporary = file.with_suffix(f'.{os.getpid()}.tmp')
  shape = (len(split), *split.example_shape)
  last_log = time.monotonic()

  def decode(index):
    images[index] = split.batch([index])[0]

  try:
    images = np.lib.format.open_memmap(temporary, 'w+', np.uint8, shape)
    _reserve(temporary)
    with concurrent.futures.ThreadPoolExecutor(num_cores()) as pool:
      for done, _ in enumerate(pool.map(decode, range(len(split))), 1):
        if time.monotonic() - last_log > 10:
          last_log = time.monotonic()
          logging.info('Decoded %s of %s.', f'{done:,}', f'{len(split):,}')
    images.flush()
    os.replace(temporary, file)
  finally:
    temporary.unlink(missing_ok=True)


def _reserve(file: pathlib.Path):
  """Allocates the blocks of a sparse file now.

  A full disk would raise SIGBUS through the memory map, with no message.
  """
  if hasattr(os, 'posix_fallocate'):
    with open(file, 'r+b') as stream:
      try:
        os.posix_fallocate(stream.fileno(), 0, file.stat().st_size)
      except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
          raise  # The others mean that the file system cannot do this.


def num_cores() -> int:
  """CPU cores that this process may use."""
  if hasattr(os, 'sched_getaffinity'):
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1
