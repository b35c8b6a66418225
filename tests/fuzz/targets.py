# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Every format that is read: valid files, and what a reader may make of others.

`TARGETS` are shared by tests with hypothesis and by `tests.fuzz`.
"""

from collections.abc import Callable, Mapping
import dataclasses
import datetime
import functools
import gzip
import importlib.util
import io
import json
import pathlib
import re
import tempfile
from typing import Any
import zipfile

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import PIL.Image

from hafjax import evaluate
from hafjax import frames
from hafjax import hierarchy as hierarchy_lib
from hafjax.data import decode
from hafjax.data import features
from hafjax.data import folders
from hafjax.data import splits as splits_lib
from hafjax.data.decode import ImageDecoder
from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import load_hierarchy
from hafjax.hierarchy import save_hierarchy
from hafjax.hierarchy.formats import registry
from hafjax.methods import devise
from hafjax.models import pretrained
from hafjax.models import resnet
from hafjax.report import overview
from hafjax.report import sections
from hafjax.report.context import Context
from hafjax.runs import checkpoints
from hafjax.runs import tables
from hafjax.runs.find import check_files
from hafjax.runs.find import find_runs
from hafjax.runs.find import hierarchy_of
from hafjax.runs.find import runs_by_name
from hafjax.train.run import recorded_config
from tests import published
from tests import run_files

TREE = Hierarchy.from_paths(['r/a/x', 'r/a/y', 'r/b/z'])
HAS_TORCH = importlib.util.find_spec('torch') is not None


@dataclasses.dataclass(frozen=True)
class Target:
  """A file that hafjax reads.

  Attributes:
    file: its name, in a folder of its own.
    valid: contents that it may have.
    read: reads it, and asserts that what it makes of it is sound.
    kind: of the bytes that are damaged, a key of `PIECES`.
    pack: makes the file of what is damaged, say an archive of an array.
    beside: other files in the folder.
  """

  file: str
  valid: tuple[bytes, ...]
  read: Callable[[pathlib.Path], Any]
  kind: str
  pack: Callable[[bytes], bytes] = bytes
  beside: Mapping[str, bytes] = dataclasses.field(default_factory=dict)


def check(target: Target, folder: pathlib.Path, content: bytes) -> bool:
  """Reads a file: True if it is sound, False if it is refused in a sentence.

  Anything else is an error.
  """
  file = folder / target.file
  for name, beside in target.beside.items():
    (folder / name).write_bytes(beside)
  file.write_bytes(target.pack(content))
  try:
    target.read(file)
  except ValueError as error:
    if type(error).__module__.split('.')[0] != 'hafjax':
      raise
    check_message(str(error), file)
    return False
  return True


def check_message(message: str, file: pathlib.Path) -> None:
  """One readable sentence that names the file, or the folder it stands for."""
  # The reader of a run, or of lists, names folder or neighbour.
  assert str(file.parent) in message, message
  message = message.replace(str(file.parent), '')
  assert re.fullmatch(r'[^\n\r]+\.', message), message
  assert len(message) < 700, message
  assert message.isprintable(), message


def settings(max_examples: int) -> hypothesis.settings:
  # Generous, for a busy machine; what hangs is still found.
  return hypothesis.settings(
    max_examples=max_examples,
    deadline=datetime.timedelta(seconds=20),
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
  )


# --- Contents ----------------------------------------------------------------


def npy(array) -> bytes:
  stream = io.BytesIO()
  np.save(stream, array)
  return stream.getvalue()


def zipped(members: Mapping[str, bytes], kind=zipfile.ZIP_STORED) -> bytes:
  """A zip archive, its members packed by a method."""
  stream = io.BytesIO()
  with zipfile.ZipFile(stream, 'w') as archive:
    for name, content in members.items():
      # Of a fixed date, so that the same members are the same file.
      archive.writestr(zipfile.ZipInfo(name), content, kind)
  return stream.getvalue()


def npz(compressed=False, **arrays) -> bytes:
  kind = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
  return zipped({f'{name}.npy': npy(a) for name, a in arrays.items()}, kind)


def with_member(arrays: Mapping[str, np.ndarray], name: str):
  """Makes an archive of arrays, of which one has any bytes."""
  members = {f'{other}.npy': npy(array) for other, array in arrays.items()}
  return lambda content: zipped(members | {f'{name}.npy': content})


def idx(array, kind: int = 8) -> bytes:
  shape = np.array(array.shape, '>u4').tobytes()
  return bytes([0, 0, kind, array.ndim]) + shape + array.tobytes()


def _json(value) -> bytes:
  return json.dumps(value).encode()


# What the formats give a meaning to, and what their readers may trip over.
PIECES = {
  'hierarchy': tuple(
    piece.encode()
    for piece in (
      *('/', '\\/', '\t', ',', '"', '""', "'", "''", '(', ')', '[', ']', '{'),
      *('}', ':', ';', '#', '\n', '\r\n', '\r', ' ', 'root', 'a', 'class 1'),
      *('[&class=0]', '[&class=99999999999]', '"name"', '"children"', 'null'),
      *('"classes"', '-1e999', 'NaN', '9' * 5000, '\\ud800', '\\u0000', '()'),
      *('\0', '\ufeff', '\u2028', '\x85', '(' * 3000, '[' * 3000, '{"a":' * 99),
      *('../', '__import__("os")', '!!python/object', '%s', '{0}', 'é'),
    )
  ),
  'npy': (
    *(b'\x93NUMPY\x01\x00', b'\x93NUMPY\x02\x00', b'\x93NUMPY\x03\x00'),
    *(b"'descr'", b"'<f4'", b"'>f8'", b"'|O'", b"'<f16'", b"'V2'", b"'<U0'"),
    *(
      b"'|V0'",
      b"'<M8[s]'",
      b'None',
      b'()',
      b'[]',
      b"[('a', '<f4')]",
      b"'<c8'",
    ),
    *(b"'shape'", b'(-1,)', b'(3, -3)', b'(9999999999999999, 3)', b'(0, 9)'),
    *(b'True', b"'fortran_order'", b'(' * 300, b'-' * 900, b'1e9', b'(3,3L)'),
    *(b'9' * 30, b"'|b1'", b"'<i8'", b"'>u8'", b"('<f4', (2,))", b"{'a': 1}"),
    *(b'__import__("os").abort()', b'nan', b'\x00\x00\xc0\x7f', b'\xff' * 8),
  ),
  'zip': (
    *(
      b'PK\x03\x04',
      b'PK\x01\x02',
      b'PK\x05\x06',
      b'PK\x06\x06',
      b'PK\x06\x07',
    ),
    *(b'scores', b'labels.npy', b'.npy', b'\xff\xff\xff\xff', b'\x00' * 4),
    *(b'\x08\x00', b'\x0c\x00', b'\x0e\x00', b'\x01\x00', b'\x63\x00', b'\xff'),
  ),
  'json': (
    *(b'{', b'}', b'[', b']', b',', b':', b'"', b'null', b'true', b'NaN', b'-'),
    *(b'1e999', b'-Infinity', b'9' * 30, b'9' * 5000, b'\\ud800', b'\\u0000'),
    *(b'[' * 3000, b'{"a":' * 3000, b'"a"', b'{}', b'[]', b'0.5', b'\xff\xfe'),
    *(b'[' * 940 + b']' * 940, b'\n', b'\r', b'\x0b', b'-1', b'""', b'1e308'),
    *(b'"images"', b'"image_id"', b'"id"', b'../', b'"classes"', b'"config"'),
  ),
  'idx': (
    *(b'\0\0\x08\x01', b'\0\0\x08\x03', b'\0\0\x0d\x03', b'\xff\xff\xff\xff'),
    *(b'\0\0\0\0', b'\0\0\0\1', b'\xff', b'\x80\0\0\0', b'\0\0\x08\x41'),
    *(b'\x1f\x8b\x08', b'\0\0\x08' + b'\x46' + bytes([0, 0, 0, 1]) * 70),
  ),
  'safetensors': (
    *(
      b'conv1.weight',
      b'"F32"',
      b'"BF16"',
      b'"BOOL"',
      b'"F8_E4M3"',
      b'"shape"',
    ),
    *(b'"data_offsets"', b'"__metadata__"', b'[0,99999999999999999999]', b'-1'),
    *(b'[0]', b'true', b'1e400', b'\xff' * 8, bytes(8), b'\x00\x10' * 4, b'{'),
    *(b'"', b'\\n', b'[' * 3000, b'9' * 5000, b'[0,0]', b'}', b',', b':', b'['),
  ),
  'pickle': (
    *(b'\x80\x02', b'c__builtin__\neval\n', b'cposix\nsystem\n', b'R', b'.'),
    *(b'cos\nabort\n)R', b'ctorch._utils\n_rebuild_tensor_v2\n', b'}', b')'),
    *(
      b'ctorch\nFloatStorage\n',
      b'J\xff\xff\xff\x7f',
      b'\x8a\x0a' + b'\xff' * 9,
    ),
    *(
      b'q\x01',
      b'h\x01',
      b'Q',
      b's',
      b'u',
      b'\x85',
      b'\x86',
      b'\x87',
      b'K\x00',
    ),
    *(b'ctorch\nHalfStorage\n', b'ctorch._utils\n_rebuild_sparse_tensor\n'),
    *(b'ctorch._utils\n_rebuild_meta_tensor_no_storage\n', b'M\xff\xff', b'b'),
  ),
  'csv': (
    *(b',', b'\n', b'"', b'nan', b'1e999', b'-', b'x', b'1_0', b'\xff', b' '),
    *(b'\xef\xbb\xbf', b'\0', b'\x85', b'0' * 5000, b'\r', b';', b'x' * 999),
  ),
  'list': (
    b' ',
    b'\n',
    b'\0',
    b'\xff',
    b'/',
    b'\x85',
    b'0034309',
    b'..',
    b'\r',
  ),
  'image': (
    *(b'IHDR', b'IDAT', b'PLTE', b'tRNS', b'iCCP', b'zTXt', b'IEND', b'eXIf'),
    *(b'\xff\xd8', b'\xff\xc0', b'\xff\xc2', b'\xff\xda', b'\xff\xd9', b'\xff'),
    *(b'\xff\xe1', b'Exif\0\0', b'Adobe', b'\x7f\xff\xff\xff', bytes(4)),
  ),
}


# --- Hierarchies -------------------------------------------------------------


def read_hierarchy(form: str, file: pathlib.Path):
  """What can be loaded is saved and loaded again."""
  tree = load_hierarchy(file, form)
  assert tree.num_classes >= 1
  assert tree.height >= 1
  list(hierarchy_lib.summary(tree))
  again = file.parent / 'again.json'
  save_hierarchy(tree, again)
  assert load_hierarchy(again) == tree


def _hierarchy(form: str) -> Target:
  valid = (registry.FORMATS[form].write(TREE).encode(),)
  read = functools.partial(read_hierarchy, form)
  return Target('fuzzed', valid, read, 'hierarchy')


# --- Scores ------------------------------------------------------------------

_SCORES = dict(
  scores=np.array([[1, 2, 0], [0, 5, 1], [2, 2, 2]], np.float32),
  labels=np.array([1, 0, 2]),
)


def _read_scores(file):
  tree = file.with_name('tree.txt')
  tree.write_text('\n'.join(TREE.paths()))
  found = evaluate.evaluate_scores(str(file), str(tree))
  assert all(isinstance(value, float) for value in found.values())
  assert 0 <= found['top1'] <= 1
  assert 0 <= found['hier_dist@1'] <= TREE.height


def _scores(member: str = '') -> Target:
  # One number of rows: each other one compiles for seconds.
  if member:
    return Target(
      'scores.npz',
      (npy(_SCORES[member]),),
      _read_scores,
      'npy',
      with_member(_SCORES, member),
    )
  valid = npz(**_SCORES), npz(compressed=True, **_SCORES)
  return Target('scores.npz', valid, _read_scores, 'zip')


# --- IDX ---------------------------------------------------------------------

_CLASSES = ('a', 'b', 'c')
_IMAGES = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
_IDX = {
  'train-images-idx3-ubyte': idx(_IMAGES),
  'train-labels-idx1-ubyte': idx(np.array([2, 0, 1], np.uint8)),
  't10k-images-idx3-ubyte': idx(_IMAGES[:1]),
  't10k-labels-idx1-ubyte': idx(np.array([1], np.uint8)),
}
_IDX_TREE = Hierarchy.from_paths(['r/a', 'r/c', 'r/b'])


def _read_idx(file):
  for beside in file.parent.glob('*-ubyte*'):
    if beside.name not in (file.name, *_IDX):
      beside.unlink()
  if file.suffix == '.gz':
    file.with_suffix('').unlink(missing_ok=True)
  splits = splits_lib.idx_splits(file.parent, 3)
  found = splits_lib.relabel(splits, _CLASSES, _IDX_TREE)
  for split in found.values():
    assert split.images.dtype == np.uint8
    assert split.images.ndim == 4
    assert len(split.images) == len(split.labels)
    assert np.isin(split.labels, range(3)).all()


def _idx(name: str, packed: bool = False, suffix: str = '') -> Target:
  valid = _IDX[name]
  beside = {other: content for other, content in _IDX.items() if other != name}
  if suffix and not packed:
    valid = gzip.compress(valid, mtime=0)
  pack = functools.partial(gzip.compress, mtime=0) if packed else bytes
  return Target(name + suffix, (valid,), _read_idx, 'idx', pack, beside)


# --- Weights -----------------------------------------------------------------

_BACKBONE = resnet.ResNet((1,), small_images=True, width=2)
_TENSORS = published.tensors(
  published.resnet_shapes((1,), small_images=True, width=2)
)
# Fewer, so that most changes meet what is looked at.
_TWO = dict(a=np.arange(6, dtype=np.float32).reshape(2, 3), b=np.asarray(7))


@functools.cache
def _backbone_shapes():
  return jax.eval_shape(
    lambda: _BACKBONE.init(
      jax.random.key(0), jnp.zeros((1, 8, 8, 3)), train=False
    )
  )


def _read_weights(file):
  tensors = pretrained.load(file)
  assert tensors
  for name, array in tensors.items():
    assert isinstance(name, str)
    assert isinstance(array, np.ndarray)
    # Every byte is there.
    array.copy()
  try:
    variables, found = pretrained.convert(
      tensors, _BACKBONE, _backbone_shapes()
    )
  except pretrained.PretrainedError as error:
    # Told with the file's name by `initial_backbone`.
    raise pretrained.PretrainedError(f'{file}: {error}') from error
  assert str(found)
  shapes = jax.tree.map(lambda leaf: leaf.shape, _backbone_shapes())
  assert jax.tree.map(np.shape, variables) == shapes
  assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(variables))


def _safetensors() -> Target:
  valid = published.safetensors(_TWO), published.safetensors(_TENSORS)
  return Target('x.safetensors', valid, _read_weights, 'safetensors')


def _weights_npz(member: bool = False) -> Target:
  if member:
    pack = with_member(_TENSORS, 'conv1.weight')
    valid = (npy(_TENSORS['conv1.weight']),)
    return Target('x.npz', valid, _read_weights, 'npy', pack)
  valid = npz(**_TWO), npz(compressed=True, **_TWO), npz(**_TENSORS)
  return Target('x.npz', valid, _read_weights, 'zip')


def _torch_file(arrays, legacy: bool = False) -> bytes:
  import torch

  tensors = {
    name: torch.from_numpy(np.asarray(array)) for name, array in arrays.items()
  }
  stream = io.BytesIO()
  content = {'epoch': 1, 'state_dict': tensors}
  torch.save(content, stream, _use_new_zipfile_serialization=not legacy)
  return stream.getvalue()


def _torch(pickle: bool = False, legacy: bool = False) -> Target:
  valid = _torch_file(_TWO, legacy), _torch_file(_TENSORS, legacy)
  if not pickle:
    return Target('x.pth', valid, _read_weights, 'pickle')
  with zipfile.ZipFile(io.BytesIO(valid[1])) as archive:
    members = {name: archive.read(name) for name in archive.namelist()}
  (name,) = (name for name in members if name.endswith('data.pkl'))

  def pack(content):
    return zipped(members | {name: content})

  return Target('x.pth', (members[name],), _read_weights, 'pickle', pack)


# --- Features ----------------------------------------------------------------

_FEATURES = dict(
  features=np.arange(12, dtype=np.float32).reshape(4, 3) / 7,
  labels=np.array([0, 1, 2, 1]),
)
_NAMED = _FEATURES | dict(labels=np.array(['x', 'z', 'y', 'x']))
_NUMBERED = _FEATURES | dict(class_names=np.array(['z', 'x', 'y']))


def _read_features(file):
  splits = features.read(str(file.parent), TREE)
  for split in splits.values():
    assert split.labels.dtype == np.int32
    assert np.isin(split.labels, range(3)).all()
    batch = split.batch(np.arange(len(split)))
    assert np.isfinite(batch).all()
    assert batch.ndim == 2
  mean, std = features.statistics(splits['train'])
  assert (std > 0).all()
  assert mean.shape == splits['test'].example_shape


def _features(member: str = '', kind: str = 'npz') -> Target:
  beside = {'test.npz': npz(**_FEATURES)}
  if kind == 'npy':
    beside |= {f'train_{k}.npy': npy(v) for k, v in _FEATURES.items()}
    name = f'train_{member}.npy'
    valid = (beside.pop(name), npy(_NAMED[member]))
    return Target(name, valid, _read_features, 'npy', beside=beside)
  if member:
    arrays = _NUMBERED if member == 'class_names' else _FEATURES
    valid = (npy(arrays[member]), npy(_NUMBERED[member]))
    if member == 'labels':
      valid += (npy(_NAMED['labels']),)
    pack = with_member(arrays, member)
    return Target('train.npz', valid, _read_features, 'npy', pack, beside)
  valid = npz(**_FEATURES), npz(compressed=True, **_NAMED)
  return Target('train.npz', valid, _read_features, 'zip', beside=beside)


# --- Distances and label vectors ---------------------------------------------

_DISTANCES = TREE.distances().astype(np.float64)
_CSV = b'x,y,z\n0,1,2\n1,0,2\n2,2,0\n'


def _read_distances(file):
  found = frames.load_distances(file, TREE.class_names)
  assert found.shape == (3, 3)
  assert (found == found.T).all()
  assert np.isfinite(found).all()


def _distances(suffix: str, member: bool = False) -> Target:
  arrays = dict(distances=_DISTANCES)
  valid, kind, pack = {
    '.npy': ((npy(_DISTANCES),), 'npy', bytes),
    '.npz': ((npz(**arrays), npz(True, **arrays)), 'zip', bytes),
    '.csv': ((_CSV[6:], _CSV), 'csv', bytes),
  }[suffix]
  if member:
    kind, pack = 'npy', with_member(arrays, 'distances')
    valid = (npy(_DISTANCES),)
  return Target(f'd{suffix}', valid, _read_distances, kind, pack)


def _read_embeddings(file):
  assert devise.feature_dim(TREE, None, '', embeddings=str(file)) > 0


def _embeddings() -> Target:
  return Target('x.npy', (npy(_DISTANCES),), _read_embeddings, 'npy')


# --- Lists of images, and images ---------------------------------------------

_ANNOTATIONS = dict(
  images=[dict(id=i, file_name='train2019.json') for i in range(3)],
  annotations=[dict(image_id=i, category_id=i) for i in range(3)],
  categories=[dict(id=i, name=f'species {i}') for i in range(3)],
)


def _read_annotations(file):
  listing = folders.inaturalist19(str(file.parent))
  for paths, names in listing.values():
    assert len(paths) == len(names)
  folders.inaturalist19_species(str(file.parent))


def _annotations() -> Target:
  return Target(
    'train2019.json',
    (_json(_ANNOTATIONS),),
    _read_annotations,
    'json',
    beside={'val2019.json': _json(_ANNOTATIONS)},
  )


_VARIANTS = b'0034309 A300 B4\n0037511 707-320\n'


def _read_lists(file):
  for stem in ('0034309', '0037511'):
    image = file.parent / 'images' / f'{stem}.jpg'
    image.parent.mkdir(exist_ok=True)
    image.touch()
  listing = folders.fgvc_aircraft(str(file.parent))
  for paths, names in listing.values():
    assert len(paths) == len(names)


def _lists() -> Target:
  beside = {
    f'images_variant_{split}.txt': _VARIANTS for split in ('val', 'test')
  }
  return Target(
    'images_variant_train.txt', (_VARIANTS,), _read_lists, 'list', beside=beside
  )


def _read_image(file):
  for how in (ImageDecoder(4), ImageDecoder(4, 1, 2, 'resized')):
    draws = np.full((10, 4), 0.5) if how.random_crop else None
    found = decode.read_image(file, how, draws)
    assert found.dtype == np.uint8
    assert found.shape == (4, 4, how.channels)


def _encoded(suffix: str, mode: str) -> bytes:
  stream = io.BytesIO()
  pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
  PIL.Image.fromarray(pixels).convert(mode).save(stream, suffix)
  return stream.getvalue()


def _image(suffix: str) -> Target:
  modes = dict(png=('RGB', 'P', 'LA', 'I;16'), jpeg=('RGB', 'L', 'CMYK'))[
    suffix
  ]
  valid = tuple(_encoded(suffix, mode) for mode in modes)
  return Target(f'x.{suffix}', valid, _read_image, 'image')


# --- Runs --------------------------------------------------------------------


class _NoPictures:
  """A gallery that draws nothing: that takes a second a picture."""

  def picture(self, name, figure, caption, *unused, **also_unused):
    del name, figure, unused, also_unused
    return caption


@functools.cache
def _run_contents() -> dict[str, bytes]:
  with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder) / 'run'
    arrays = run_files.make_run(folder, 'haframe', 0, TREE, 2)
    contents = {file.name: file.read_bytes() for file in folder.iterdir()}
  contents['predictions.npz'] = npz(**arrays)
  # One picture each: they take most of the time.
  for name, key in (('metrics', 'train_loss'), ('collapse', 'nc1')):
    lines = [{'step': 10 * i, 'epoch': i, key: 1 / i} for i in (1, 2)]
    contents[f'{name}.jsonl'] = b''.join(_json(line) + b'\n' for line in lines)
  contents['table.json'] = _json([dict(variant='haframe (x 1)', seed=0)])
  results = json.loads(contents['results.json'])
  results['rules'] = dict(
    crm=dict(val=results['val'], test=results['test']),
    selective={
      split: dict(
        threshold=[0.0, 0.5, 1.0],
        coverage=[1.0, 0.9, 0.3],
        risk=[0.2, 0.1, 0.0],
        area=0.1,
      )
      for split in ('val', 'test')
    },
  )
  contents['results.json'] = _json(results | dict(best_step=3, distance=None))
  return contents


def _read_report(anchors, file):
  """Makes some sections of the page, without drawing."""
  runs = find_runs([file.parent])
  context = Context(
    methods=runs_by_name(runs),
    hierarchy=hierarchy_of(runs[0]),
    gallery=_NoPictures(),
    split='test',
    baseline='cross_entropy',
  )
  for run in runs:
    check_files(run, context.hierarchy.num_classes)
  assert overview.facts(context)
  for section in sections.all_sections():
    if section.anchor in anchors:
      assert isinstance(section.content(context), str)
  results = [run.results for run in runs]
  for split in ('val', 'test'):
    assert tables.results_table(results, split)
    tables.curve_table(results, split)


def _read_workdir(file):
  recorded_config(file.parent, hierarchy='', data_dir='')
  record = json.loads(_run_contents()['run.json'])
  run = checkpoints.Workdir(file.parent, record, create=False)
  try:
    results = run.results()
    assert tables.results_table([results])
    assert isinstance(results['best_step'], int)
    for name in ('metrics', 'collapse'):
      assert all(record['step'] >= 0 for record in run.history(name))
    run.rewind_log(20)
  finally:
    run.close()


def _run(name: str, read: Callable) -> Target:
  beside = dict(_run_contents())
  del beside['table.json']
  kind = 'zip' if name.endswith('npz') else 'json'
  return Target(name, (beside.pop(name),), read, kind, beside=beside)


def _predictions(member: str, anchors: tuple[str, ...]) -> Target:
  beside = dict(_run_contents())
  del beside['table.json']
  with np.load(io.BytesIO(beside.pop('predictions.npz'))) as archive:
    arrays = dict(archive)
  return Target(
    'predictions.npz',
    (npy(arrays[member]),),
    functools.partial(_read_report, anchors),
    'npy',
    with_member(arrays, member),
    beside,
  )


# --- All ---------------------------------------------------------------------

_MAKERS = {
  **{
    f'hierarchy_{form}': functools.partial(_hierarchy, form)
    for form in sorted(registry.FORMATS)
  },
  'scores': _scores,
  'scores_scores': functools.partial(_scores, 'scores'),
  'scores_labels': functools.partial(_scores, 'labels'),
  'idx': functools.partial(_idx, 'train-images-idx3-ubyte'),
  'idx_labels': functools.partial(_idx, 'train-labels-idx1-ubyte'),
  'idx_gz': functools.partial(_idx, 'train-images-idx3-ubyte', suffix='.gz'),
  'idx_in_gz': functools.partial(
    _idx, 'train-images-idx3-ubyte', packed=True, suffix='.gz'
  ),
  'safetensors': _safetensors,
  'weights_npz': _weights_npz,
  'weights_npz_array': functools.partial(_weights_npz, member=True),
  **(
    {
      'torch': _torch,
      'torch_pickle': functools.partial(_torch, pickle=True),
      'torch_legacy': functools.partial(_torch, legacy=True),
    }
    if HAS_TORCH
    else {}
  ),
  'features': _features,
  'features_features': functools.partial(_features, 'features'),
  'features_labels': functools.partial(_features, 'labels'),
  'features_class_names': functools.partial(_features, 'class_names'),
  'features_npy': functools.partial(_features, 'features', kind='npy'),
  'features_labels_npy': functools.partial(_features, 'labels', kind='npy'),
  'distances_npy': functools.partial(_distances, '.npy'),
  'distances_npz': functools.partial(_distances, '.npz'),
  'distances_npz_array': functools.partial(_distances, '.npz', member=True),
  'distances_csv': functools.partial(_distances, '.csv'),
  'embeddings': _embeddings,
  'annotations': _annotations,
  'image_list': _lists,
  'png': functools.partial(_image, 'png'),
  'jpeg': functools.partial(_image, 'jpeg'),
  **{
    f'report_{name}': functools.partial(
      _run, name, functools.partial(_read_report, anchors)
    )
    for name, anchors in (
      ('run.json', ('similarity', 'comparison')),
      ('results.json', ('comparison', 'similarity')),
      ('metrics.jsonl', ('training',)),
      ('collapse.jsonl', ('collapse',)),
      ('predictions.npz', ('similarity', 'tree', 'severe')),
    )
  },
  **{
    f'report_{member}': functools.partial(_predictions, member, anchors)
    for member, anchors in (
      ('labels', ('heights', 'tree', 'severe')),
      ('predictions', ('confusion', 'tree', 'severe')),
      ('confidences', ('severe',)),
      ('class_means', ('similarity',)),
      ('frame', ('similarity',)),
      ('severe', ('severe',)),
      ('severe_images', ('severe',)),
    )
  },
  **{
    f'workdir_{name}': functools.partial(_run, name, _read_workdir)
    for name in ('run.json', 'results.json', 'metrics.jsonl', 'collapse.jsonl')
  },
}
FORMATS = tuple(_MAKERS)


@functools.cache
def target(name: str) -> Target:
  """What a format's files are, and how they are read; see `FORMATS`."""
  return _MAKERS[name]()
