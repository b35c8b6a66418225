# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Damaged files of every format: a sound result or one sentence.

Hierarchies have a test of their own, `hierarchy_fuzz_test`.
"""

import contextlib
import gzip
import io
import json
import math
import pickle
import struct
import tracemalloc
import zipfile

import hypothesis
from hypothesis import strategies as st
import numpy as np
import pytest

from hafjax.report import plots
from hafjax.report.histories import curve
from tests import strategies
from tests.fuzz import targets as fuzzing

FORMATS = [
  name for name in fuzzing.FORMATS if not name.startswith('hierarchy_')
]


def _pieces(target):
  """What is put into the files of a format."""
  known = fuzzing.PIECES[target.kind]
  return st.one_of(
    *([st.sampled_from(known)] if known else []), st.binary(max_size=8)
  )


# --- Files with a structure that holds, and values that do not ----------------

# Of the former, as many bytes as a header says may be drawn.
_PLAIN = (
  *('<f4', '>f4', '<f8', '<f2', '<f16', '<i8', '>i8', '<u8', '|i1', '|b1'),
  *('<c8', '|V2', '|V0', '<U0', '<U3', '>U2', '|S0', '|S2', '<M8[s]', '|u1'),
)
_DTYPES = (*_PLAIN, '|O', 'f4,i2', 'x', '', '<f4' * 99, '(2,)f4', 'O', 'm8')
_SIZES = st.one_of(
  st.integers(0, 5),
  st.sampled_from([-1, -3, 2**31, 2**40, 2**62, 2**63, 2**64, 10**30, True]),
)


@st.composite
def arrays(draw, like: bytes) -> bytes:
  """Files of NumPy: of another type, shape or content, or whose header lies."""
  header = dict(
    descr=draw(st.sampled_from(_DTYPES)),
    fortran_order=draw(st.booleans()),
    shape=draw(st.lists(_SIZES, max_size=4).map(tuple)),
  )
  content = draw(st.binary(max_size=100))
  version = 1
  if draw(st.booleans()):
    # Of a shape that may fit, and with as many bytes as it says.
    array = np.load(io.BytesIO(like))
    shape = list(array.shape)
    if shape and not draw(st.integers(0, 3)):
      shape[draw(st.integers(0, len(shape) - 1))] = draw(st.integers(0, 5))
    dtype = np.dtype(draw(st.sampled_from([*_PLAIN, array.dtype.str])))
    header.update(shape=tuple(shape), descr=dtype.str)
    size = math.prod(shape) * dtype.itemsize
    some = draw(st.sampled_from([bytes(8), content, array.tobytes()])) or b'?'
    content = (some * (size // len(some) + 1))[:size]
  else:
    version = draw(st.sampled_from([1, 2, 3, 4]))
  text = repr(header).encode() + b'\n'
  length = struct.pack('<H' if version == 1 else '<I', len(text))
  return b'\x93NUMPY' + bytes([version, 0]) + length + text + content


_ENTRIES = {
  'dtype': st.sampled_from(
    ['F32', 'BF16', 'I64', 'BOOL', 'F8_E4M3', 'U' * 999]
  ),
  'shape': st.lists(_SIZES, max_size=4),
  'data_offsets': st.lists(_SIZES, min_size=1, max_size=3),
}


@st.composite
def tables_of_tensors(draw) -> bytes:
  """Safetensors, whose tables say anything."""
  data = draw(st.binary(max_size=40))
  table = {}
  for name in draw(st.lists(st.text(max_size=9), max_size=3)):
    size = draw(st.integers(0, len(data) // 4))
    entry = dict(dtype='F32', shape=[size], data_offsets=[0, 4 * size])
    for field in draw(st.lists(st.sampled_from(sorted(entry)), max_size=2)):
      entry[field] = draw(_ENTRIES[field] | strategies.json_values())
    table[name] = entry
  header = json.dumps(table).encode()
  return struct.pack('<Q', len(header)) + header + data


@st.composite
def idx_files(draw) -> bytes:
  """Headers that say anything, mostly with as many bytes as they say."""
  shape = draw(
    st.lists(
      st.one_of(st.integers(0, 4), st.sampled_from([2**16, 2**32 - 1])),
      max_size=5,
    )
  )
  if not draw(st.integers(0, 9)):
    shape = [1] * draw(st.integers(60, 255))
  count = 1
  for size in shape:
    count *= size
  kind = draw(st.sampled_from([8] * 9 + [0, 9, 13]))
  size = min(count, 300) + draw(st.sampled_from([0, 0, 0, 1, -1]))
  content = bytes(max(size, 0))
  return (
    bytes([0, 0, kind, len(shape)]) + struct.pack(f'>{len(shape)}I', *shape)
  ) + content


_PACKINGS = (
  *(zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED),
  *(zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA),
)
_LIES = bytes(4), b'\xff' * 4, b'\xff\xff\xff\x7f', b'\1\0'


@st.composite
def archives(draw, target) -> bytes:
  """A valid archive, packed otherwise, or of which the index tells lies."""
  with zipfile.ZipFile(io.BytesIO(draw(st.sampled_from(target.valid)))) as z:
    members = {name: z.read(name) for name in z.namelist()}
  for name in draw(st.lists(st.sampled_from(sorted(members)), max_size=1)):
    members[name] = draw(
      arrays(members[name])
      | strategies.damaged(st.just(members[name]), st.binary(max_size=8))
    )
  kind = draw(st.sampled_from(_PACKINGS))
  content = bytearray(fuzzing.zipped(members, kind))
  if draw(st.booleans()):
    # Of the index's first entry: flags, method, sizes, place, ...
    field = draw(st.sampled_from(range(6, 46, 2)))
    place = content.index(b'PK\1\2') + field
    lie = draw(st.sampled_from(_LIES))
    content[place : place + len(lie)] = lie
  return bytes(content)


@st.composite
def json_files(draw, target) -> bytes:
  content = draw(st.sampled_from(target.valid))
  if target.file.endswith('.jsonl'):
    lines = [json.loads(line) for line in content.splitlines()]
    changed = draw(strategies.changed_json(lines))
    if not isinstance(changed, list):
      changed = [changed]
    return b''.join(json.dumps(line).encode() + b'\n' for line in changed)
  return json.dumps(draw(strategies.changed_json(json.loads(content)))).encode()


def _made(target) -> st.SearchStrategy[bytes]:
  """Files that are damaged where the format has structure, not by bytes."""
  if target.kind == 'npy':
    return arrays(target.valid[0])
  if target.kind == 'zip':
    return archives(target)
  if target.kind == 'json':
    return json_files(target)
  if target.kind == 'safetensors':
    return tables_of_tensors()
  if target.kind == 'idx':
    return idx_files()
  return st.lists(_pieces(target), max_size=12).map(b''.join)


def contents(target) -> st.SearchStrategy[bytes]:
  """Files of a format, most of them damaged."""
  valid = st.sampled_from(target.valid)
  return st.one_of(
    strategies.damaged(valid, _pieces(target)),
    _made(target),
    st.binary(max_size=50),
  )


@pytest.fixture
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('fuzz')


@pytest.mark.parametrize('form', FORMATS)
class TestFiles:
  @hypothesis.given(data=st.data())
  @hypothesis.settings(fuzzing.settings(40))
  def test_damaged(self, folder, form, data):
    target = fuzzing.target(form)
    fuzzing.check(target, folder, data.draw(contents(target)))

  @pytest.mark.slow
  @hypothesis.given(data=st.data())
  @hypothesis.settings(fuzzing.settings(100))
  def test_damaged_at_length(self, folder, form, data):
    target = fuzzing.target(form)
    fuzzing.check(target, folder, data.draw(contents(target)))

  def test_valid(self, folder, form):
    target = fuzzing.target(form)
    assert fuzzing.check(target, folder, target.valid[-1])

  def test_every_truncation(self, folder, form):
    target = fuzzing.target(form)
    whole = target.valid[0]
    for length in range(0, len(whole), len(whole) // 40 + 1):
      fuzzing.check(target, folder, whole[:length])

  def test_a_folder_of_that_name(self, folder, form):
    target = fuzzing.target(form)
    for name, beside in target.beside.items():
      (folder / name).write_bytes(beside)
    (folder / target.file).mkdir()
    with pytest.raises(ValueError) as caught:
      target.read(folder / target.file)
    assert type(caught.value).__module__.startswith('hafjax.')
    assert '\n' not in str(caught.value)


# --- Little files that would be large -----------------------------------------


def _npy_of(shape, dtype='<f4', content=b'') -> bytes:
  """A file whose header says that it is of some shape, whatever is in it."""
  text = repr(dict(descr=dtype, fortran_order=False, shape=shape)).encode()
  header = b'\x93NUMPY\1\0' + struct.pack('<H', len(text) + 1) + text + b'\n'
  return header + content


def _zip_that_lies(name: str, size: int) -> bytes:
  """An archive whose index says how large its array would be."""
  content = bytearray(fuzzing.zipped({f'{name}.npy': _npy_of((size // 4,))}))
  entry = content.index(b'PK\1\2')
  for place in (22, entry + 24):
    content[place : place + 4] = struct.pack('<I', min(size, 2**32 - 2))
  return bytes(content)


_LARGE = 2**40
# Formats by what is damaged, and files that announce terabytes.
_BOMBS = {
  'npy': lambda target: _npy_of((_LARGE // 4, 3)),
  'zip': lambda target: _zip_that_lies(_first_member(target), _LARGE),
  'idx': lambda target: b'\0\0\x08\3' + struct.pack('>3I', *[2**32 - 1] * 3),
  'safetensors': lambda target: struct.pack('<Q', _LARGE) + b'{}',
}


def _first_member(target) -> str:
  with zipfile.ZipFile(io.BytesIO(target.valid[0])) as archive:
    return archive.namelist()[0].removesuffix('.npy')


@contextlib.contextmanager
def at_most(megabytes: float):
  """What is done inside must do with so much memory at a time."""
  tracemalloc.start()
  try:
    yield
    _, peak = tracemalloc.get_traced_memory()
  finally:
    tracemalloc.stop()
  assert peak < megabytes * 2**20


@pytest.mark.parametrize(
  'form',
  [name for name in FORMATS if fuzzing.target(name).kind in _BOMBS],
)
def test_what_is_announced_is_not_asked_for(folder, form):
  target = fuzzing.target(form)
  with at_most(20):
    assert not fuzzing.check(target, folder, _BOMBS[target.kind](target))


# A thousand times smaller, for their bytes are all alike.
_ZEROS = bytes(50 * 2**20)


def test_a_bomb_of_gzip(folder):
  target = fuzzing.target('idx_gz')
  small = fuzzing.idx(np.zeros((1, 2, 2), np.uint8))
  bomb = gzip.compress(small + _ZEROS, 1)
  with at_most(20):
    assert not fuzzing.check(target, folder, bomb)


def test_a_bomb_of_zip(folder):
  target = fuzzing.target('scores')
  for content in (_npy_of((1, 3)) + _ZEROS, _ZEROS):
    members = {'scores.npy': content}
    bomb = fuzzing.zipped(members, zipfile.ZIP_DEFLATED)
    with at_most(20):
      assert not fuzzing.check(target, folder, bomb)


def test_parts_that_share_their_bytes(folder):
  # David Fifield, "A better zip bomb" (2019): many entries, one content.
  whole = fuzzing.zipped({'scores.npy': fuzzing.npy(np.zeros((1000, 1000)))})
  entry, end = whole.index(b'PK\1\2'), whole.index(b'PK\5\6')
  index = whole[entry:end] * 1000
  record = struct.pack('<HHII', 1000, 1000, len(index), entry)
  target = fuzzing.target('scores')
  with at_most(20):
    bomb = whole[:entry] + index + whole[end : end + 8] + record + bytes(2)
    assert not fuzzing.check(target, folder, bomb)


# --- Numbers that are hard to draw --------------------------------------------


@pytest.mark.parametrize('log', [False, True])
@pytest.mark.parametrize(
  'values',
  [
    [1e308, -1e308, math.nan, 5],
    [math.inf, math.inf],
    [math.nan],
    [5e-324, 1e300, 1],
    [2**62, -(2**62), 0],
  ],
)
@pytest.mark.parametrize('key', ['epoch', 'loss'])
def test_every_curve_is_drawn(key, values, log):
  history = [
    dict({'epoch': i, 'loss': i + 1} | {key: v}) for i, v in enumerate(values)
  ]
  line = curve([history], 'loss')
  if line:
    looks = plots.styles(['a'])
    figure = plots.curve_picture({'a': line}, looks, 'loss', log)
    assert plots.encoded(figure, 'png').startswith(b'\x89PNG')
  else:
    assert key == 'epoch'


@pytest.mark.parametrize('x', [[0, 1e308, math.nan], [-math.inf, 1, 1]])
@pytest.mark.parametrize('y', [[5e-324, 1e300, 1], [2**62, -(2**62), 0]])
def test_every_curve_of_a_rule_is_drawn(x, y):
  points = np.array([x, y], np.float64)
  figure = plots.line_picture({'a': points}, plots.styles(['a']), '$', 'y')
  assert plots.encoded(figure, 'png').startswith(b'\x89PNG')


# --- Files that would do something --------------------------------------------


class Trap:
  """Its pickle, where it is run, leaves a file."""

  def __init__(self, file):
    self.file = file

  def __reduce__(self):
    return open, (str(self.file), 'w')


@pytest.mark.parametrize('form', FORMATS)
def test_no_code_is_run(folder, form):
  target, mark = fuzzing.target(form), folder / 'mark'
  trap = pickle.dumps(Trap(mark))
  array = fuzzing.npy(np.array([Trap(mark), None], object))
  name = 'scores'
  if target.kind == 'zip':
    name = _first_member(target)
  for content in (
    trap,
    array,
    fuzzing.zipped({f'{name}.npy': array}),
    fuzzing.zipped({f'{name}.npy': trap}),
    fuzzing.zipped({'archive/data.pkl': trap, 'archive/version': b'3'}),
    f"open({str(mark)!r}, 'w')".encode(),
  ):
    # A log is sound without its last line.
    fuzzing.check(target, folder, content)
  assert not mark.exists()
  # The trap works.
  pickle.loads(trap).close()
  assert mark.exists()


@pytest.mark.skipif(not fuzzing.HAS_TORCH, reason='PyTorch is optional')
def test_tensors_of_little_that_would_be_large(folder):
  import torch

  target = fuzzing.target('torch')
  for tensor in (
    torch.zeros(1, dtype=torch.bfloat16).expand(_LARGE),
    torch.sparse_coo_tensor([[0]], [1.0], (_LARGE,)),
    torch.empty(_LARGE, device='meta'),
    torch.quantize_per_tensor(torch.zeros(3), 0.1, 0, torch.qint8),
    torch.zeros(3, dtype=torch.float8_e4m3fn),
  ):
    stream = io.BytesIO()
    torch.save({'conv1.weight': tensor}, stream)
    with at_most(20):
      assert not fuzzing.check(target, folder, stream.getvalue())
