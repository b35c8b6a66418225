# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The paper's data sets, each in its official layout, a few images large."""

import json

import numpy as np
import pytest

from configs import cifar10
from configs import cifar100
from configs import common
from configs import fashion_mnist
from configs import features
from configs import fgvc_aircraft
from configs import i_naturalist2021
from configs import image_folder
from configs import imagenet2012
from configs import inaturalist19
from configs import quickstart
from configs import tiered_imagenet_h
from hafjax.data import Arrays
from hafjax.data import DataError
from hafjax.data import Spec
from hafjax.data import Split
from hafjax.data import decode
from hafjax.data import load_dataset
from hafjax.data import records
from hafjax.data import sampling
from hafjax.data import specs
from hafjax.data.decode import ImageDecoder
from hafjax.hierarchy import Hierarchy
from hafjax.hierarchy import load_hierarchy
from hafjax.hierarchy import save_hierarchy
from hafjax.plugins import PluginError
from tests import helpers
from tests import image_helpers

SIZE = 8
CONFIGS = (
  cifar10,
  cifar100,
  fashion_mnist,
  features,
  fgvc_aircraft,
  i_naturalist2021,
  image_folder,
  imagenet2012,
  inaturalist19,
  quickstart,
  tiered_imagenet_h,
)


def load(module, folder, hierarchy, **changes):
  config = module.get_config()
  config.data_dir, config.hierarchy = str(folder), str(hierarchy)
  config.image_size = SIZE
  config.input.cache_dir = str(folder / 'cache')
  config.update_from_flattened_dict(changes)
  return load_dataset(config)


def write_tree(file, names):
  file.write_text(''.join(f'root/{name[:3]}/{name}\n' for name in names))
  return file


def colour(value):
  """An image of one colour, which survives stretching and JPEG."""
  return np.full((30, 20, 3), value)


def colours(split):
  return split.batch(np.arange(len(split)))[:, 3, 3, 0]


def sizes(data):
  return {name: len(split) for name, split in data.splits.items()}


# --- Data sets by name --------------------------------------------------------


def test_each_config_names_a_data_set():
  assert set(specs.names()) == {
    common.get_config().dataset,
    *(module.get_config().dataset for module in CONFIGS),
  }
  for name in specs.names():
    assert isinstance(specs.spec(name), Spec)


@pytest.mark.parametrize('module', [quickstart, image_folder, features])
def test_fields_of_a_data_set(module):
  """Defaults pass their checks, and are those of the config."""
  config = module.get_config()
  spec = specs.spec(config.dataset)
  defaults = {name: field.default for name, field in spec.fields.items()}
  assert config[spec.group].to_dict() == defaults == spec.options({})
  for field in spec.fields.values():
    assert field.check.accepts(field.default) and field.binds and field.doc
    assert not field.check.accepts('many')
  changed = {spec.group: dict(val_share=0.5)}
  assert spec.options(changed) == defaults | dict(val_share=0.5)


def test_a_data_set_of_ones_own(tmp_path, monkeypatch):
  """A module with a SPEC, which reads an own class of splits."""
  (tmp_path / 'mylab').mkdir()
  (tmp_path / 'mylab' / 'ones.py').write_text("""
import numpy as np
from hafjax.data import Arrays, Spec, Split

class Ones:
  dtype, example_shape = np.dtype(np.uint8), (4, 4, 3)

  def __init__(self, labels):
    self.labels = labels

  def __len__(self):
    return len(self.labels)

  @property
  def nbytes(self):
    return 48 * len(self)

  def take(self, indices):
    return Ones(self.labels[indices])

  def with_labels(self, labels):
    return Ones(labels)

  def batch(self, indices, rng=None, rows=slice(None)):
    return np.ones((len(indices[rows]), 4, 4, 3), np.uint8)

def read(hierarchy, config):
  labels = np.repeat(np.arange(hierarchy.num_classes, dtype=np.int32), 3)
  return dict(train=Ones(labels), test=Ones(labels))

SPEC = Spec(read=read, hierarchy='quickstart', val_per_class=1)
""")
  (tmp_path / 'mylab' / 'empty.py').write_text('')
  monkeypatch.syspath_prepend(tmp_path)
  config = common.get_config()
  config.dataset = 'mylab.ones'
  data = load_dataset(config)
  assert sizes(data) == dict(train=60, val=30, test=90)
  train = data.splits['train']
  assert isinstance(train, Split)
  assert isinstance(Arrays(np.ones((1, 2)), np.ones(1, np.int32)), Split)
  feed = helpers.feed_of(data)
  (images, labels) = next(feed.training_batches(4, 0, 0, 1))
  assert images.shape == (4, 4, 4, 3) and images.min() == 1
  order = sampling.training_order(60, 4, 0)
  np.testing.assert_array_equal(labels, train.labels[order[0]])
  coarse = data.at_level(1).splits['test'].labels
  np.testing.assert_array_equal(
    coarse, data.hierarchy.level_labels(1)[data.splits['test'].labels]
  )
  with pytest.raises(DataError, match='mylab.empty .* has no SPEC'):
    specs.spec('mylab.empty')
  with pytest.raises(PluginError, match="no data set 'cifar'; .* cifar100, "):
    specs.spec('cifar')


# --- FGVC-Aircraft ------------------------------------------------------------

VARIANTS = ('707-320', 'F/A-18', 'BAE 146-200')


@pytest.fixture
def aircraft(tmp_path):
  """fgvc-aircraft-2013b/data: a grey image above a white banner of 20 rows."""
  data = tmp_path / 'fgvc-aircraft-2013b' / 'data'
  identity = 34_000
  for split, count in dict(train=3, val=2, test=1).items():
    lines = []
    for label, variant in enumerate(VARIANTS):
      for _ in range(count):
        pixels = np.full((60, 50, 3), 255)
        pixels[:40] = 50 * label
        file = data / 'images' / f'{identity:07d}.jpg'
        image_helpers.write_image(file, pixels, quality=95)
        lines.append(f'{identity:07d} {variant}')
        identity += 1
    (data / f'images_variant_{split}.txt').write_text('\n'.join(lines) + '\n')
    for level, names in (
      ('family', ('Boeing 707', 'F/A-18', 'BAE 146')),
      ('manufacturer', ('Boeing', 'Boeing', 'BAE')),
    ):
      content = '\n'.join(lines)
      for variant, name in zip(VARIANTS, names, strict=True):
        content = content.replace(f' {variant}', f' {name}')
      (data / f'images_{level}_{split}.txt').write_text(content + '\n')
  (data / 'variants.txt').write_text('\n'.join(VARIANTS) + '\n')
  return data.parent


@pytest.mark.parametrize(
  'names',
  [VARIANTS, ('v-707-320', 'v-F-slash-A-18', 'v-BAE 146-200')],
  ids=['official', 'published'],
)
@pytest.mark.parametrize('inner', ['', 'data'])
def test_fgvc_aircraft(aircraft, tmp_path, names, inner):
  tree = Hierarchy.from_paths([('root', 'group', name) for name in names[::-1]])
  file = tmp_path / 'tree.tsv'
  save_hierarchy(tree, file)
  data = load(fgvc_aircraft, aircraft / inner, file)
  assert sizes(data) == dict(train=9, val=6, test=3)
  for split in data.splits.values():
    # Without its banner, and labelled in the hierarchy's order.
    pixels = split.batch(np.arange(len(split)))
    labels = [names.index(data.hierarchy.class_names[i]) for i in split.labels]
    expected = 50.0 * np.array(labels)[:, None, None, None]
    assert abs(pixels - expected).max() <= 2
  assert (data.crop_padding, data.crop_border, data.flip) == (4, 'zero', True)


def test_the_hierarchy_of_fgvc_aircraft_comes_with_it(aircraft):
  data = load(fgvc_aircraft, aircraft, '')
  assert data.hierarchy.class_names == VARIANTS
  np.testing.assert_array_equal(
    data.distances, [[0, 2, 3], [2, 0, 3], [3, 3, 0]]
  )
  labels = data.splits['test'].labels
  np.testing.assert_allclose(colours(data.splits['test']), 50 * labels, atol=2)


def test_fgvc_aircraft_without_an_image(aircraft, tmp_path):
  (aircraft / 'data/images/0034003.jpg').unlink()
  tree = tmp_path / 'tree.txt'
  tree.write_text('root/a\nroot/b\n')
  with pytest.raises(DataError, match='and 1 of them do not exist'):
    load(fgvc_aircraft, aircraft, tree)


@pytest.mark.parametrize(
  'content, message',
  [
    (None, 'images_variant_val.txt cannot be read'),
    ('0034000', 'images_variant_val.txt, line 1: expected an image'),
    ('0034000 Concorde', "val split has classes .* not have: 'Concorde'"),
  ],
)
def test_fgvc_aircraft_with_a_bad_list(aircraft, tmp_path, content, message):
  file = aircraft / 'data/images_variant_val.txt'
  if content is None:
    file.unlink()
  else:
    file.write_text(content)
  tree = tmp_path / 'tree.tsv'
  tree.write_text(''.join(f'root\t{name}\n' for name in VARIANTS))
  with pytest.raises(DataError, match=message):
    load(fgvc_aircraft, aircraft, tree)


# --- iNaturalist 2019 ---------------------------------------------------------

SPECIES = ('Abies alba', 'Bufo bufo', 'Canis lupus')
RANKS = [
  dict(
    zip(
      ('kingdom', 'phylum', 'class', 'order', 'family', 'genus'),
      names.split(),
      strict=True,
    )
  )
  for names in (
    'Plantae Tracheophyta Pinopsida Pinales Pinaceae Abies',
    'Animalia Chordata Amphibia Anura Bufonidae Bufo',
    'Animalia Chordata Mammalia Carnivora Canidae Canis',
  )
]


@pytest.fixture
def inaturalist(tmp_path):
  """train_val2019/GROUP/ID/HASH.jpg, annotations, and the published lists."""
  root = tmp_path / 'inaturalist'
  categories = [
    dict(id=i, name=name, supercategory='Life', **ranks)
    for i, (name, ranks) in enumerate(zip(SPECIES, RANKS, strict=True))
  ]
  number = 0
  for official, split, count in (
    ('train2019', 'train', 4),
    ('train2019', 'val', 1),
    ('val2019', 'test', 2),
  ):
    file = root / f'{official}.json'
    content = dict(images=[], annotations=[], categories=categories)
    if file.exists():
      content = json.loads(file.read_text())
    for label in range(3):
      names = []
      for _ in range(count):
        names.append(f'{number:032x}.jpg')
        path = f'train_val2019/Life/{label}/{names[-1]}'
        image_helpers.write_image(root / path, colour(40 * label))
        content['images'].append(
          dict(id=number, file_name=path, width=20, height=30)
        )
        content['annotations'].append(
          dict(id=number, image_id=number, category_id=label)
        )
        number += 1
      listed = root / 'splits_inat19' / split / f'nat{label:04d}.txt'
      listed.parent.mkdir(parents=True, exist_ok=True)
      listed.write_text('\n'.join(names) + '\n')
    file.write_text(json.dumps(content))
  return root


@pytest.mark.parametrize(
  'names', [SPECIES, ('nat0000', 'nat0001', 'nat0002')], ids=['names', 'ids']
)
def test_inaturalist19_by_the_published_lists(inaturalist, tmp_path, names):
  tree = write_tree(tmp_path / 'tree.txt', names[::-1])
  data = load(inaturalist19, inaturalist, tree)
  assert sizes(data) == dict(train=12, val=3, test=6)
  for split in data.splits.values():
    np.testing.assert_allclose(colours(split), 40 * (2 - split.labels), atol=2)
  # Cropped as they are decoded in training, kept decoded for evaluation.
  assert isinstance(data.splits['train'], decode.Files)
  assert data.splits['train'].decoder.random_crop == 'stretched'
  assert isinstance(data.splits['test'], Arrays)


def test_the_hierarchy_of_inaturalist19_comes_with_it(inaturalist):
  data = load(inaturalist19, inaturalist, '')
  assert data.hierarchy.class_names == SPECIES
  np.testing.assert_array_equal(
    data.distances, [[0, 7, 7], [7, 0, 5], [7, 5, 0]]
  )
  labels = data.splits['test'].labels
  np.testing.assert_allclose(colours(data.splits['test']), 40 * labels, atol=2)
  (inaturalist / 'train2019.json').unlink()
  with pytest.raises(DataError, match='neither categories.json nor'):
    load(inaturalist19, inaturalist, '')


def test_inaturalist19_by_the_official_annotations(inaturalist, tmp_path):
  (inaturalist / 'splits_inat19').rename(tmp_path / 'elsewhere')
  tree = write_tree(tmp_path / 'tree.txt', SPECIES)
  data = load(inaturalist19, inaturalist, tree)
  # The last three of five validate.
  assert sizes(data) == dict(train=6, val=9, test=6)
  np.testing.assert_allclose(
    colours(data.splits['test']), 40 * data.splits['test'].labels, atol=2
  )


def test_inaturalist19_with_what_is_missing(inaturalist, tmp_path):
  tree = write_tree(tmp_path / 'tree.txt', SPECIES)
  next((inaturalist / 'train_val2019/Life/1').glob('*.jpg')).unlink()
  with pytest.raises(DataError, match='1 of .* of nat0001.txt'):
    load(inaturalist19, inaturalist, tree)
  (inaturalist / 'splits_inat19').rename(tmp_path / 'elsewhere')
  with pytest.raises(DataError, match='1 of them do not exist'):
    load(inaturalist19, inaturalist, tree)
  (inaturalist / 'train2019.json').write_text('{"images": []}')
  with pytest.raises(DataError, match='not in the layout .*annotati'):
    load(inaturalist19, inaturalist, tree)
  for file in inaturalist.glob('*.json'):
    file.unlink()
  with pytest.raises(DataError, match='making-better-mistakes'):
    load(inaturalist19, inaturalist, tree)


# --- tieredImageNet-H ---------------------------------------------------------

WNIDS = ('n01440764', 'n01443537', 'n02123045')


@pytest.mark.parametrize('flat', [False, True])
def test_tiered_imagenet_h(tmp_path, flat):
  """ILSVRC2012 train/WNID and val (flat, or WNID too), and the lists."""
  root, number = tmp_path / 'imagenet', 0
  for label, wnid in enumerate(WNIDS):
    for split, folder, count in (
      ('train', f'train/{wnid}', 3),
      ('val', f'train/{wnid}', 1),
      ('test', 'val' if flat else f'val/{wnid}', 2),
    ):
      prefix = wnid if 'train' in folder else 'ILSVRC2012_val'
      names = [f'{prefix}_{number + i:08d}.JPEG' for i in range(count)]
      number += count
      for name in names:
        image_helpers.write_image(root / folder / name, colour(40 * label))
      file = root / 'splits_tieredImageNet-H' / split / f'{wnid}.txt'
      file.parent.mkdir(parents=True, exist_ok=True)
      file.write_text('\n'.join(names))
  tree = tmp_path / 'tree.txt'
  tree.write_text(
    'root/animal/fish/n01440764\nroot/animal/fish/n01443537\n'
    'root/animal/mammal/feline/n02123045\n'
  )
  data = load(tiered_imagenet_h, root, tree)
  assert sizes(data) == dict(train=9, val=3, test=6)
  for split in data.splits.values():
    np.testing.assert_allclose(colours(split), 40 * split.labels, atol=2)
  # Its published distances.
  assert data.kind == 'lca_depth'
  expected = data.hierarchy.distances('lca_depth')
  np.testing.assert_array_equal(data.distances, expected)


# --- TFDS ---------------------------------------------------------------------


def test_cifar10_through_tfds(tmp_path, monkeypatch):
  """TFDS prepares an archive in CIFAR-10's own format, and we read that."""
  import requests
  import tensorflow_datasets as tfds

  tree = load_hierarchy('cifar10')
  folder = tmp_path / 'archive' / 'cifar-10-batches-bin'
  folder.mkdir(parents=True)
  (folder / 'batches.meta.txt').write_text('\n'.join(tree.class_names))
  # 505 training images of each class in five files, one test image of each.
  for name in (*(f'data_batch_{i}' for i in range(1, 6)), 'test_batch'):
    count = 10 if name == 'test_batch' else 1010
    records_ = np.zeros((count, 1 + 3 * 32 * 32), np.uint8)
    records_[:, 0] = records_[:, 1] = np.arange(count) % 10
    records_.tofile(folder / f'{name}.bin')
  monkeypatch.setattr(requests, 'head', lambda *args, **kwargs: None)
  monkeypatch.setattr(
    tfds.download.DownloadManager,
    'download_and_extract',
    lambda *args: tmp_path / 'archive',
  )
  data = load(cifar10, tmp_path, '', image_size=None)
  assert sizes(data) == dict(train=50, val=5000, test=10)
  for split in data.splits.values():
    np.testing.assert_array_equal(split.images[:, 0, 0, 0], split.labels)
  assert data.distances.max() == tree.height == 3


class FakeBuilder:
  """A prepared TFDS data set of encoded images."""

  def __init__(self, folder, names, splits):
    self.data_path = folder
    self.name = 'fake'
    self.reads = 0
    self._splits = splits

    class Named:
      full_name = 'fake/1.0.0'
      features = dict(label=type('Label', (), dict(names=names)))

    self.info = Named

  def as_data_source(self, split, decoders):
    assert type(decoders['image']).__name__ == 'SkipDecoding'
    self.reads += 1
    return self._splits[split]


@pytest.mark.parametrize(
  'module, test', [(i_naturalist2021, 'val'), (imagenet2012, 'validation')]
)
def test_large_tfds_data_sets(tmp_path, monkeypatch, module, test):
  names = ['a', 'b', 'c']
  splits = {}
  for split, count in (('train', 60), (test, 2)):
    splits[split] = []
    for number in range(count * 3):
      file = tmp_path / 'image.jpg'
      image_helpers.write_image(file, colour(40 * (number % 3)))
      splits[split].append(dict(image=file.read_bytes(), label=number % 3))
  builder = FakeBuilder(tmp_path, names, splits)
  monkeypatch.setattr(records, 'tfds_builder', lambda *args: builder)
  tree = write_tree(tmp_path / 'tree.txt', names[::-1])
  held = specs.spec(module.get_config().dataset).val_per_class
  for _ in range(2):  # Labels are read, then kept.
    data = load(module, tmp_path, tree)
    assert sizes(data) == dict(train=180 - 3 * held, val=3 * held, test=6)
    for split in data.splits.values():
      assert isinstance(split, decode.Files)
      expected = 40 * (2 - split.labels)
      np.testing.assert_allclose(colours(split), expected, atol=2)
    splits['train'] = [dict(record, label=None) for record in splits['train']]
  cropped = data.splits['train'].batch([0], np.random.default_rng(0))
  assert cropped.shape == (1, SIZE, SIZE, 3)


def test_damaged_labels_are_read_again(tmp_path):
  source = [dict(label=number % 3) for number in range(9)]
  builder = FakeBuilder(tmp_path, ['a', 'b', 'c'], dict(train=source))
  found = records._labels(builder, 'train', source, tmp_path / 'cache')
  (file,) = (tmp_path / 'cache').iterdir()
  for content in (b'', file.read_bytes()[:-9]):
    file.write_bytes(content)
    for _ in range(2):
      again = records._labels(builder, 'train', source, tmp_path / 'cache')
      np.testing.assert_array_equal(again, found)
  assert list((tmp_path / 'cache').iterdir()) == [file]


def test_records_of_a_real_data_source(tmp_path):
  """TFDS leaves images encoded, in the files that it writes."""
  import tensorflow_datasets as tfds

  class TinyImages(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version('1.0.0')

    def _info(self):
      return self.dataset_info_from_configs(
        features=tfds.features.FeaturesDict(
          dict(
            image=tfds.features.Image(shape=(None, None, 3)),
            label=tfds.features.ClassLabel(names=['a', 'b']),
          )
        )
      )

    def _split_generators(self, manager):
      del manager
      return dict(train=self._generate_examples())

    def _generate_examples(self):
      for number in range(6):
        yield (
          number,
          dict(
            image=np.full((5, 4, 3), 30 * number, np.uint8), label=number % 2
          ),
        )

  builder = TinyImages(data_dir=tmp_path, file_format='array_record')
  builder.download_and_prepare()
  source = builder.as_data_source(
    split='train', decoders=dict(image=tfds.decode.SkipDecoding())
  )
  labels = records._labels(builder, 'train', source, tmp_path / 'cache')
  files = decode.Files(
    records.Encoded(source), labels, ImageDecoder(4), are_streams=True
  )
  values = colours(files)
  assert sorted(values) == [0, 30, 60, 90, 120, 150]
  np.testing.assert_array_equal(values // 30 % 2, labels)


@pytest.mark.parametrize(
  'module', [tiered_imagenet_h, imagenet2012, i_naturalist2021]
)
def test_hierarchies_that_are_not_ours_are_asked_for(module, tmp_path):
  with pytest.raises(DataError, match='--config.hierarchy'):
    load(module, tmp_path, '')


@pytest.mark.parametrize(
  'module', [fgvc_aircraft, inaturalist19, tiered_imagenet_h]
)
@pytest.mark.parametrize('folder', ['', 'nowhere'])
def test_folders_are_asked_for(module, folder, tmp_path):
  config = module.get_config()
  tree = write_tree(tmp_path / 'tree.txt', SPECIES)
  for hierarchy in ('', str(tree)):
    config.data_dir, config.hierarchy = folder, hierarchy
    if hierarchy or module is not tiered_imagenet_h:
      with pytest.raises(DataError, match='--config.data_dir'):
        load_dataset(config)


@pytest.mark.parametrize(
  'module, variant, gamma, alpha',
  [
    (fgvc_aircraft, 'haframe', 1.0, 0.5),
    (inaturalist19, None, 5.0, 0.4),
    (tiered_imagenet_h, 'haframe_linear', 3.0, 0.5),
    # The ablations' own.
    (tiered_imagenet_h, 'haframe_ce', 3.0, 0.0),
    (fgvc_aircraft, 'haframe_cosine', 1.0, 1.0),
  ],
)
def test_the_papers_gammas_and_alphas(module, variant, gamma, alpha):
  method = module.get_config(variant).method
  assert (method.gamma, method.alpha) == (gamma, alpha)
