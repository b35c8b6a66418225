# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The sections of the report, each from files to HTML."""

from collections.abc import Mapping, Sequence
import dataclasses
import functools
import math
import os

from absl import logging
import numpy as np

from hafjax import frames
from hafjax import hierarchy as hierarchy_lib
from hafjax import pictures as frame_pictures
from hafjax import run_files
from hafjax.report import markup
from hafjax.report import mistakes
from hafjax.report import pictures
from hafjax.report import runs as runs_lib
from hafjax.report import tables

# Tiles of severe mistakes a method, and methods whose pictures are unfolded.
_TILES = 12
_UNFOLDED = 4

# Pairs of classes in the list of the most frequent mistakes.
_PAIRS = 10

# Trees of more nodes show their first levels only, until they are unfolded.
_MOST_NODES = 60

# Of the similarity beside classifiers that are learned: that of HAFrame's
# figures for CIFAR-100.
_GAMMA = 2.0


@dataclasses.dataclass(frozen=True)
class Pooled:
  """Test images of several seeds of a method: class indices, int[N]."""

  seeds: tuple[int, ...]
  labels: np.ndarray
  predictions: np.ndarray


@dataclasses.dataclass(frozen=True)
class Context:
  """What sections are made of.

  Attributes:
    methods: runs by name.
    hierarchy: of their classes.
    gallery: where pictures go.
    split: of the tables, 'test' or 'val'.
    baseline: name or variant that the others are compared with.
  """

  methods: Mapping[str, Sequence[runs_lib.Run]]
  hierarchy: hierarchy_lib.Hierarchy
  gallery: markup.Gallery
  split: str
  baseline: str

  @functools.cached_property
  def runs(self) -> list[runs_lib.Run]:
    return [run for group in self.methods.values() for run in group]

  @functools.cached_property
  def looks(self) -> dict[str, pictures.Style]:
    return pictures.styles(list(self.methods))

  @functools.cached_property
  def pooled(self) -> dict[str, Pooled]:
    """Predictions of the methods that have some."""
    found = {}
    for name, group in self.methods.items():
      arrays = {run.seed: self.arrays(run) for run in group}
      arrays = {seed: read for seed, read in arrays.items() if read}
      if arrays:
        found[name] = Pooled(
          tuple(arrays),
          *(
            np.concatenate([read[key] for read in arrays.values()])
            for key in ('labels', 'predictions')
          ),
        )
    return found

  def arrays(self, run: runs_lib.Run, *names: str) -> dict | None:
    """See `runs.predictions`."""
    return runs_lib.predictions(run, self.hierarchy.num_classes, names)

  def first_with(self, name: str, *names: str):
    """Yields (method, run, arrays) of each method's first run that has one."""
    for method, group in self.methods.items():
      for run in group:
        arrays = self.arrays(run, name, *names)
        if arrays and name in arrays:
          yield method, run, arrays
          break


def _seeds(seeds: Sequence[int]) -> str:
  return f'seed{"s" * (len(seeds) > 1)} {", ".join(map(str, seeds))}'


def _missing(context: Context, file: str) -> str:
  """A sentence on the runs that lack a file; '' where all have it."""
  lacking = [run for run in context.runs if not (run.folder / file).exists()]
  if not lacking:
    return ''
  count, total = len(lacking), len(context.runs)
  folder = os.path.commonpath([run.folder for run in lacking])
  who = 'No run has' if count == total else f'{count} of {total} runs have no'
  return (
    f'{who} {markup.code(file)}; '
    f'{markup.code(runs_lib.evaluate_command(folder))} makes it.'
  )


def _lacking(array: str) -> str:
  """A sentence where files are there and an array is in none of them."""
  return (
    f'No {markup.code(runs_lib.PREDICTIONS)} holds {markup.code(array)}: '
    '<code>python -m hafjax.evaluate --workdir=...</code> writes it.'
  )


def _note(*sentences: str) -> str:
  return markup.paragraph(*sentences, kind='note')


def _folded(parts: Mapping[str, str]) -> list[str]:
  """Content by method, unfolded where there are few."""
  return [
    markup.details(markup.text(name), content, len(parts) <= _UNFOLDED)
    for name, content in parts.items()
  ]


def _signed(value: float, decimals: int) -> str:
  """A number with its sign, as it is set in text."""
  return f'{value:+.{decimals}f}'.replace('-', '−')


# --- What was run ------------------------------------------------------------


def _flat(config: dict, prefix: str = '') -> dict[str, str]:
  """Fields of a config by their dotted names."""
  found = {}
  for key, value in config.items():
    if isinstance(value, dict):
      found |= _flat(value, f'{prefix}{key}.')
    else:
      found[prefix + key] = str(value)
  return found


def facts(context: Context) -> str:
  """What was run, and what is not the same everywhere."""
  tree = context.hierarchy
  configs = {
    name: [_flat(run.record['config']) for run in group]
    for name, group in context.methods.items()
  }
  flat = [config for group in configs.values() for config in group]
  rows = [
    ['classes', f'{tree.num_classes:,} in a tree of height {tree.height}'],
    ['methods', f'{len(configs)}'],
    ['runs', f'{len(flat)}'],
  ]
  for key in ('dataset', 'model', 'num_epochs', 'batch_size'):
    values = sorted({config.get(key, 'unknown') for config in flat})
    rows.append([key.replace('_', ' ').removeprefix('num '), ', '.join(values)])
  mixed = [
    (name, key)
    for name, group in configs.items()
    for key in group[0]
    if key != 'seed' and len({config.get(key, 'None') for config in group}) > 1
  ]
  warning = ''
  if mixed:
    name, key = mixed[0]
    warning = (
      f'<strong>The runs of {markup.text(name)} are not the same but for their '
      f'seeds: they differ in {markup.code(key)}.</strong> Their mean is of '
      'different things.'
    )
  differing = _differing(configs)
  more = ''
  if differing:
    more = markup.details(
      f'What else differs between the methods ({len(differing)})',
      markup.table(['field', 'values'], differing, 'words'),
    )
  facts_list = ''.join(
    f'<div><dt>{markup.text(key)}</dt><dd>{markup.text(value)}</dd></div>'
    for key, value in rows
  )
  return f'<dl class="facts">{facts_list}</dl>\n{_note(warning)}{more}'


def _differing(configs) -> list[list[str]]:
  """A row a field: its values, each with the methods that have it."""
  rows = []
  keys = dict.fromkeys(key for group in configs.values() for key in group[0])
  for key in keys:
    if key in ('variant', 'seed') or key.startswith('method.'):
      continue
    names = {}
    for name, group in configs.items():
      names.setdefault(group[0].get(key, 'None'), []).append(name)
    if len(names) > 1:
      values = (
        f'<b>{markup.text(value)}</b> ({markup.text(", ".join(who))})'
        for value, who in names.items()
      )
      rows.append([markup.text(key), '; '.join(values)])
  return rows


# --- 1. Comparison -----------------------------------------------------------


def comparison(context: Context) -> str:
  """Means and intervals, and paired tests against the baseline."""
  results = [
    dict(run.results, variant=run.name)
    for group in context.methods.values()
    for run in group
  ]
  groups = {}
  for row, result, found in tables.rows(results, context.split):
    if 'top1' in found:
      groups.setdefault(row, {})[result['seed']] = found
  values = {row: list(seeds.values()) for row, seeds in groups.items()}
  main = tables.shared(values, tables.COLUMNS)
  numbers = [
    metric
    for metric, value in next(iter(values.values()))[0].items()
    if metric not in tables.COLUMNS and isinstance(value, int | float)
  ]
  # Inference rules have fewer metrics: rows of methods' own.
  own = {row: seeds for row, seeds in groups.items() if row in context.methods}
  others = tables.shared(
    {row: list(seeds.values()) for row, seeds in own.items()}, numbers
  )
  content = [
    _note(
      f'Metrics of the {context.split} split, of the checkpoint that is best '
      'by validation top-1: mean over seeds ± half of the 95 % interval '
      "(Student's t; without one where there is one seed). The best mean of a "
      'column is bold.'
    ),
    _means(context, groups, main),
    _GLOSSARY,
  ]
  if others:
    content.append(
      markup.details(
        f'More metrics ({len(others)})', _means(context, own, others)
      )
    )
  selective = tables.selective_cells(results, context.split)
  if selective:
    header, rows = selective
    escaped = [[markup.text(cell) for cell in row] for row in rows]
    content.append(
      markup.details(
        'The inference rule ‘selective’',
        _note(
          'Risk (share of wrong answers) and coverage (how much the answers '
          'say) at thresholds of confidence, and the area under the curve '
          'of both.'
        )
        + markup.table([markup.text(cell) for cell in header], escaped),
      )
    )
  content += ['<h3>Differences to the baseline</h3>\n']
  content += [_differences(context, groups, main)]
  return ''.join(content)


_GLOSSARY = """<dl class="glossary">
<dt>top-k %</dt><dd>images whose class is among the k best-ranked; more is
better</dd>
<dt>severity</dt><dd>mean height of the lowest common ancestor of true and
predicted class, over the mistakes: 1 is a sibling; less is better</dd>
<dt>dist@k</dt><dd>mean of that height over the k best-ranked classes of all
images; less is better</dd></dl>
"""


def _column(metric) -> tuple[str, float, int]:
  return tables.COLUMNS.get(metric, (metric, 1, 3))


def _means(context, groups, metrics) -> str:
  header = ['method', 'runs']
  header += [markup.text(_column(metric)[0]) for metric in metrics]
  rows = []
  best = {metric: _best(groups, metric) for metric in metrics}
  for row, seeds in groups.items():
    cells = [_labelled(context, row), str(len(seeds))]
    for metric in metrics:
      found = [values[metric] for values in seeds.values()]
      cell = tables.cell(found, *_column(metric)[1:])
      is_best = _rounded(found, metric) == best[metric]
      cells.append(f'<strong>{cell}</strong>' if is_best else cell)
    rows.append(cells)
  return markup.table(header, rows)


def _labelled(context, row) -> str:
  look = context.looks.get(row)
  return (markup.swatch(look) if look else '') + markup.escape(row)


def _rounded(values, metric) -> float:
  """The mean as it is shown, so that what looks the same is as good."""
  _, scale, decimals = _column(metric)
  return round(scale * float(np.mean(values)), decimals)


def _best(groups, metric) -> float | None:
  """The best of the rows' means, None where there is no better."""
  means = [
    _rounded([values[metric] for values in seeds.values()], metric)
    for seeds in groups.values()
  ]
  means = [mean for mean in means if not math.isnan(mean)]
  sign = tables.better(metric)
  if not sign or len(groups) < 2 or not means:
    return None
  return sign * max(sign * mean for mean in means)


def _differences(context, groups, metrics) -> str:
  """Each row minus the baseline over common seeds."""
  names = [
    name
    for name, group in context.methods.items()
    if context.baseline in (name, group[0].variant)
  ]
  if len(names) != 1:
    what = f'Several methods are {markup.text(context.baseline)}'
    if not names:
      what = f'No run is of the baseline {markup.text(context.baseline)}'
    logging.warning('There is no one baseline %r.', context.baseline)
    known = ', '.join(context.methods)
    return _note(
      f'{what}: choose it by {markup.code("--baseline=")}, one of '
      f'{markup.text(known)}.'
    )
  (baseline,) = names
  header = ['method', 'common seeds']
  header += [markup.text(_column(metric)[0]) for metric in metrics]
  rows = [
    [
      _labelled(context, row),
      *_difference_cells(seeds, groups[baseline], metrics),
    ]
    for row, seeds in groups.items()
    if row != baseline
  ]
  if not rows:
    return _note('There is no other method.')
  return _note(
    f'Row minus {markup.text(baseline)}, over the seeds that both have: mean, '
    'its 95 % interval, and p of a paired t-test. Where p is below 0.05 the '
    'cell says which way: of tests where nothing differs, one in twenty would '
    f'say so too, and of the {len(rows) * len(metrics)} cells here none is '
    'corrected for their number.'
  ) + markup.table(header, rows)


def _difference_cells(seeds, others, metrics) -> list[str]:
  common = sorted(seeds.keys() & others.keys())
  if len(common) < 2:
    return [f'{len(common)}, too few for a test'] + [''] * len(metrics)
  cells = [str(len(common))]
  for metric in metrics:
    _, scale, decimals = _column(metric)
    mean, half, p = tables.paired_difference(
      *(
        [scale * group[seed][metric] for seed in common]
        for group in (seeds, others)
      )
    )
    ends = [_signed(mean + side * half, decimals) for side in (-1, 1)]
    verdict = ''
    if p < 0.05:
      good = mean * tables.better(metric) > 0
      verdict = f' <b class="{"good" if good else "bad"}">' + (
        'better</b>' if good else 'worse</b>'
      )
    chance = 'no test' if math.isnan(p) else _chance(p)
    cell = (
      f'{_signed(mean, decimals)}{verdict}<br><small>{ends[0]} to {ends[1]}<br>'
      f'{chance}</small>'
    )
    cells.append(cell)
  return cells


def _chance(p: float) -> str:
  return 'p &lt; 0.001' if p < 0.001 else f'p = {p:.3f}'


# --- 2. and 3. Curves --------------------------------------------------------

_TRAINING = {
  'train_loss': (
    'training loss',
    "The loss of each method; two methods' do not compare.",
  ),
  'val_top1': (
    'validation top-1',
    'Share of images that are right: up is good.',
  ),
  'val_mistake_severity': (
    'validation severity of mistakes',
    'Mean height of the lowest common ancestor over mistakes: down is good.',
  ),
}

# Key -> (title, how to read it); the first six are shown without a click. What
# is measured is defined in hafjax.collapse.
_COLLAPSE = {
  'deviation_mean': (
    'deviation of class means, mean',
    'Over pairs of classes, how far the cosine of their centred means is from '
    "its target (that of the method's frame, or else of the simplex ETF): 0 is "
    'collapse.',
  ),
  'deviation_std': (
    'deviation of class means, standard deviation',
    'Spread over pairs of the cosine less its target: 0 is collapse.',
  ),
  'self_duality': (
    'self-duality',
    'Squared distance of the classifier from the centred class means, both '
    'scaled to length 1: 0 is collapse (NC3).',
  ),
  'nc1': (
    'NC1',
    'Variation within classes beside that between them: 0 is collapse.',
  ),
  'nc2_frame': (
    'NC2, frame',
    'Distance of the inner products of class means from those of the frame, '
    'both scaled to length 1: 0 is collapse.',
  ),
  'nc4': (
    'NC4',
    'Share of images for which the classifier chooses the nearest class mean: '
    '1 is collapse.',
  ),
  'nc2_etf': (
    'NC2, simplex ETF',
    'As NC2, of centred class means from a simplex ETF.',
  ),
  'nc2_orthogonal': ('NC2, orthogonal', 'As NC2, from an orthogonal frame.'),
  'predicted_nc2_means': (
    'NC2, predicted',
    'As NC2, from the class means that the theory of linear layers predicts '
    'for these decays and class sizes.',
  ),
  'predicted_nc2_classifier': (
    'NC2 of the classifier, predicted',
    'Likewise of its rows.',
  ),
  'predicted_nc3': (
    'NC3, predicted',
    'Likewise of the products of rows with class means.',
  ),
  'nc1_svd': (
    'NC1, by singular values',
    'As NC1, in the leading directions between classes only.',
  ),
  'nc1_quotient': (
    'NC1, quotient of traces',
    'Variance within classes over that between them: 0 is collapse.',
  ),
  'nc1_cdnv': (
    'NC1, class-distance normalised variance',
    'Variance of two classes over the squared distance of their means, mean '
    'over pairs: 0 is collapse.',
  ),
  'raw_deviation_mean': (
    'deviation, not centred, mean',
    'As the deviation, of class means as they are.',
  ),
  'raw_deviation_std': (
    'deviation, not centred, standard deviation',
    'As the deviation, of class means as they are.',
  ),
  'classifier_deviation_mean': (
    'deviation of the classifier, mean',
    "As the deviation, of the classifier's rows; 0 where they are fixed.",
  ),
  'classifier_deviation_std': (
    'deviation of the classifier, standard deviation',
    "As the deviation, of the classifier's rows; 0 where they are fixed.",
  ),
  'raw_self_duality': (
    'self-duality, not centred',
    'As self-duality, of class means as they are.',
  ),
  'bias_relation': (
    'bias and mean of features',
    "How far the classifier's bias is from undoing the features' mean: 0 is "
    'collapse.',
  ),
  'class_norm_variation': (
    'lengths of class means, variation',
    'Standard deviation over mean of the lengths of centred class means: 0 '
    'where all are as long.',
  ),
  'feature_norm_mean': ('length of features, mean', 'Over training images.'),
  'feature_norm_std': (
    'length of features, standard deviation',
    'Over training images.',
  ),
}
_FIRST = 6

# What matplotlib finds ticks for, and no run gets near.
_LARGEST = 1e100


def curve(
  histories: Sequence[Sequence[dict]], key: str
) -> pictures.Curve | None:
  """Mean and extremes over seeds of a value by epoch, None where it is not."""
  by_epoch = {}
  for history in histories:
    # What was measured again counts once, as it was last.
    last = {
      record['epoch']: record[key]
      for record in history
      if run_files.is_number(record.get(key)) and _is_epoch(record.get('epoch'))
    }
    for epoch, value in last.items():
      by_epoch.setdefault(epoch, []).append(value)
  if not by_epoch:
    return None
  epochs = sorted(by_epoch)
  values = [by_epoch[epoch] for epoch in epochs]
  return pictures.Curve(
    *map(
      np.array,
      (epochs, *(_drawn(f, values) for f in (np.mean, np.min, np.max))),
    )
  )


def _is_epoch(value) -> bool:
  return run_files.is_number(value) and abs(value) < _LARGEST


def _drawn(function, values) -> list[float]:
  """A function of each row; NaN, which is not drawn, if it is too large."""
  found = map(function, values)
  return [value if abs(value) < _LARGEST else math.nan for value in found]


def _curves(context, histories, panels, folder, log=()) -> list[str]:
  """A picture for each key that any method has."""
  found = []
  for key, (title, reading) in panels.items():
    curves = {name: curve(runs, key) for name, runs in histories.items()}
    curves = {name: line for name, line in curves.items() if line}
    if curves:
      logging.info('Drawing %s by epoch.', title)
      figure = pictures.curve_picture(
        curves, context.looks, title, key.startswith(log)
      )
      looks = {name: context.looks[name] for name in curves}
      found.append(
        context.gallery.picture(f'{folder}_{key}', figure, reading, looks)
      )
  return found


def _grid(parts: Sequence[str]) -> str:
  return f'<div class="grid">{"".join(parts)}</div>\n'


def training(context: Context) -> str:
  """Loss, accuracy and severity by epoch."""
  histories = {
    name: [runs_lib.read_lines(run.folder / runs_lib.METRICS) for run in group]
    for name, group in context.methods.items()
  }
  parts = _curves(context, histories, _TRAINING, 'training', ('train_loss',))
  if not parts:
    return _note(
      'No run has a <code>metrics.jsonl</code> with these values; training '
      'writes it: <code>python -m hafjax.main --config=... --workdir=...'
      '</code>.'
    )
  return (
    _note(
      'Lines are means over seeds, bands go from the lowest seed to the '
      'highest. A line is missing where a value is no number.'
    )
    + markup.legend(context.looks)
    + _grid(parts)
  )


def collapse(context: Context) -> str:
  """Measures of neural collapse by epoch."""
  histories = {
    name: [
      [
        record
        for record in runs_lib.read_lines(run.folder / runs_lib.COLLAPSE)
        if record.get('layer', 'features') == 'features'
        and record.get('split', 'train') == 'train'
      ]
      for run in group
    ]
    for name, group in context.methods.items()
  }
  missing = _note(_missing(context, runs_lib.COLLAPSE))
  panels = list(_COLLAPSE.items())
  log = ('nc1', 'feature_norm')
  first = _curves(context, histories, dict(panels[:_FIRST]), 'collapse', log)
  more = _curves(context, histories, dict(panels[_FIRST:]), 'collapse', log)
  if not first + more:
    return missing or _note(
      f'No {markup.code(runs_lib.COLLAPSE)} has measures of the features of '
      'training images: <code>python -m hafjax.evaluate --workdir=...</code> '
      'writes them.'
    )
  content = (
    _note(
      'How far the features of training images have collapsed to their '
      "class means, and these to the simplex ETF or to the method's own "
      'frame. Lines are means over seeds, bands go from the lowest seed to '
      'the highest.'
    )
    + missing
    + markup.legend(context.looks)
    + _grid(first)
  )
  if more:
    content += markup.details(f'More measures ({len(more)})', _grid(more))
  return content


# --- 4. Similarities ---------------------------------------------------------


def similarities(context: Context) -> str:
  """Cosines of class means beside their target."""
  parts = {
    method: _similarity(context, method, run, arrays)
    for method, run, arrays in context.first_with('class_means', 'frame')
  }
  missing = _note(_missing(context, runs_lib.PREDICTIONS))
  if not parts:
    return missing or _note(_lacking('class_means'))
  return (
    _note(
      'Cosines between the mean features of classes, in tree order, beside '
      'those that the method aims at. Blocks along the diagonal are the '
      'groups of the hierarchy; the more alike the two matrices, the more '
      'of the target was learned.'
    )
    + missing
    + ''.join(_folded(parts))
  )


def _similarity(context, method, run, arrays) -> str:
  logging.info('Drawing the similarities of %s.', method)
  config = run.record['config']
  if 'frame' in arrays:
    goal, centred = mistakes.cosines(arrays['frame']), False
    words = 'the rows of its own frame'
  else:
    kind = run.results.get('distance')
    kind = kind if kind in hierarchy_lib.KINDS else 'lca_height'
    gamma = config.get('method', {}).get('gamma', _GAMMA)
    try:
      goal = frames.similarity(context.hierarchy, gamma, kind=kind)
    except frames.FrameError as error:
      file = run.folder / 'run.json'
      raise runs_lib.ReportError(f'{file}: {error}') from error
    centred = True
    words = (
      f'the hierarchy-aware similarity (γ = {gamma:g}), which this method was '
      'not told'
    )
  found = mistakes.cosines(arrays['class_means'], centred)
  pairs = ~np.eye(len(goal), dtype=bool)
  error = (found - goal)[pairs]
  figure = frame_pictures.similarity_picture(
    {'class means': found, 'target': goal}, context.hierarchy
  )
  caption = (
    f'Seed {run.seed}. Left: {"centred " * centred}class means of test images; '
    f'right: {words}. Over pairs of classes they are '
    f'{np.abs(error).mean():.3f} apart in the mean; left less right has a '
    f'standard deviation of {error.std():.3f}.'
  )
  return context.gallery.picture(
    f'similarity_{method}', figure, caption, raster_dpi=_dpi(len(goal))
  )


def _dpi(num_classes: int) -> float:
  """Of a matrix: a pixel a class at least, up to a thousand classes."""
  return float(np.clip(0.26 * num_classes, 130, 260))


# --- 5. Heights --------------------------------------------------------------


def heights(context: Context) -> str:
  """Mistakes by the height of the lowest common ancestor."""
  shares = {
    name: mistakes.height_shares(
      pooled.labels, pooled.predictions, context.hierarchy
    )
    for name, pooled in context.pooled.items()
  }
  missing = _note(_missing(context, runs_lib.PREDICTIONS))
  if not shares:
    return missing
  logging.info('Drawing mistakes by height.')
  relative = {
    name: share / share.sum() if share.any() else share
    for name, share in shares.items()
  }
  parts = [
    context.gallery.picture(
      f'heights_of_{what}', pictures.height_picture(values, title), reading
    )
    for what, values, title, reading in (
      (
        'images',
        shares,
        'share of all test images',
        "A bar's whole length is the error rate: shorter is better.",
      ),
      (
        'mistakes',
        relative,
        'share of mistakes',
        'Of the mistakes alone: the more of a bar is light, the milder they '
        'are.',
      ),
    )
  ]
  header = [
    'method',
    *(f'height {i + 1}' for i in range(context.hierarchy.height)),
    'all',
  ]
  rows = [
    [
      _labelled(context, name),
      *(f'{100 * value:.2f} %' for value in share),
      f'{100 * share.sum():.2f} %',
    ]
    for name, share in shares.items()
  ]
  return (
    _note(
      'Test images that are wrong, by the height of the lowest common '
      'ancestor of true and predicted class: at height 1 they share a '
      f'parent, at {context.hierarchy.height} only the root. All seeds '
      'that have predictions are pooled.'
    )
    + missing
    + _grid(parts)
    + markup.details(
      'As numbers: share of all test images', markup.table(header, rows)
    )
  )


# --- 6. Confusion ------------------------------------------------------------


def confusions(context: Context) -> str:
  """Confusion matrices in tree order."""
  missing = _note(_missing(context, runs_lib.PREDICTIONS))
  parts = {}
  for name, pooled in context.pooled.items():
    logging.info('Drawing the confusions of %s.', name)
    counts = mistakes.confusion(
      pooled.labels, pooled.predictions, context.hierarchy.num_classes
    )
    parts[name] = context.gallery.picture(
      f'confusion_{name}',
      pictures.confusion_picture(counts, context.hierarchy),
      f'{_seeds(pooled.seeds).capitalize()}, {len(pooled.labels):,} '
      'predictions in all.',
      raster_dpi=_dpi(len(counts)),
    ) + _frequent(counts, context.hierarchy)
  if not parts:
    return missing
  return (
    _note(
      'Each row is a true class, and its colours show how its test images '
      'were predicted, all seeds pooled. Classes are in tree order: '
      'mistakes inside of the boxes on the diagonal stay within a group. '
      'Colours follow the square root of the share, so that rare mistakes show.'
    )
    + missing
    + _grid(_folded(parts))
  )


def _frequent(counts, hierarchy) -> str:
  """A table of the most frequent confusions, which a fine picture hides."""
  wrong = counts - np.diag(np.diag(counts))
  kinds = int(np.count_nonzero(wrong))
  if not kinds:
    return ''
  # Stable, so that the lower classes are first among equals.
  order = np.argsort(-wrong, axis=None, kind='stable')[: min(_PAIRS, kinds)]
  heights = hierarchy.distances()
  rows = [
    [
      markup.text(f'{hierarchy.class_names[i]} → {hierarchy.class_names[j]}'),
      f'{wrong[i, j]:,}',
      str(heights[i, j]),
    ]
    for i, j in zip(*np.unravel_index(order, wrong.shape), strict=True)
  ]
  header = ['true → predicted', 'images', 'height']
  return markup.details(
    'Most frequent mistakes',
    markup.table(header, rows)
    + _note(
      f'{len(rows)} of {kinds:,} pairs of classes that were confused; '
      f'{kinds - len(rows):,} are left out.'
    ),
  )


# --- 7. Tree -----------------------------------------------------------------


def tree(context: Context) -> str:
  """The tree, with the accuracy at each node of each method."""
  missing = _note(_missing(context, runs_lib.PREDICTIONS))
  if not context.pooled:
    return missing
  counts = [
    mistakes.node_hits(pooled.labels, pooled.predictions, context.hierarchy)
    for pooled in context.pooled.values()
  ]
  hits, totals = (np.array(part) for part in zip(*counts, strict=True))
  heads = ''.join(f'<b>{markup.text(name)}</b>' for name in context.pooled)
  return (
    _note(
      'Of the test images below a node, how many are predicted below it, '
      'in percent, all seeds pooled; the stronger the colour, the more '
      'leave it. A node opens at a click.'
    )
    + missing
    + '<p><button type="button" data-open="1">Open all</button> '
    '<button type="button" data-open="">Close all</button></p>\n'
    + '<div class="scroll"><div class="tree" style="min-width:'
    f'{14 + 5 * (1 + len(hits))}rem">'
    f'<div class="row head"><span>node</span><b>images</b>{heads}</div>\n'
    + ''.join(_nodes(context.hierarchy, hits, totals))
    + '</div></div>\n'
  )


def _nodes(hierarchy, hits, totals):
  """Yields HTML, depth first; no recursion, for trees may be deep."""
  children = np.searchsorted(
    hierarchy.parents, np.arange(hierarchy.num_nodes + 1)
  )
  depth = hierarchy.height if hierarchy.num_nodes <= _MOST_NODES else 1
  todo = [0]
  while todo:
    node = todo.pop()
    if node is None:
      yield '</details>\n'
      continue
    cells = _node_cells(
      hierarchy.node_names[node], hits[:, node], totals[:, node]
    )
    below = range(children[node], children[node + 1])
    if not below:
      yield f'<div class="row">{cells}</div>\n'
      continue
    is_open = ' open' if hierarchy.node_depths[node] < depth else ''
    yield f'<details{is_open}><summary class="row">{cells}</summary>\n'
    todo += [None, *reversed(below)]


def _node_cells(name, hits, totals) -> str:
  cells = [f'<span>{markup.text(name)}</span><i>{totals.max():,}</i>']
  for hit, total in zip(hits.tolist(), totals.tolist(), strict=True):
    if not total:
      cells.append('<i>–</i>')
      continue
    wrong = round(10 * (1 - hit / total))
    cells.append(f'<i class="w{wrong}">{100 * hit / total:.1f}</i>')
  return ''.join(cells)


# --- 8. Severe mistakes ------------------------------------------------------


def severe(context: Context) -> str:
  """The worst mistakes, as images (where there are any) with both paths."""
  missing = _note(_missing(context, runs_lib.PREDICTIONS))
  parts = {
    f'{method}, seed {run.seed}': _tiles(context, arrays)
    for method, run, arrays in context.first_with(
      'severe', 'severe_images', 'confidences'
    )
  }
  if not parts:
    return missing or _note(_lacking('severe'))
  return (
    _note(
      'Test images whose predicted class is farthest from the true one, '
      'worst first. What both paths share is grey; the confidence is the '
      'softmax probability of the predicted class.'
    )
    + missing
    + ''.join(_folded(parts))
  )


def _tiles(context, arrays) -> str:
  chosen = arrays['severe']
  # Frozen features have no images to show: paths alone.
  images = arrays.get('severe_images', [None] * len(chosen))
  wrong = int(np.sum(arrays['labels'] != arrays['predictions']))
  if not len(chosen):
    return _note('There are no mistakes to show.')
  tiles = [
    _tile(context.hierarchy, arrays, index, image)
    for index, image in zip(chosen[:_TILES], images[:_TILES], strict=True)
  ]
  return f'<div class="tiles">{"".join(tiles)}</div>\n' + _note(
    f'{len(tiles)} of {wrong:,} mistakes; {wrong - len(tiles):,} are left out.'
  )


def _tile(hierarchy, arrays, index, image) -> str:
  label, guess = (int(arrays[key][index]) for key in ('labels', 'predictions'))
  paths = hierarchy.path_table[[label, guess]]
  shared = int(np.sum((paths[0] == paths[1]) & (paths[0] >= 0)))
  lowest = paths[0, shared - 1]
  names = [
    [hierarchy.node_names[node] for node in path if node >= 0] for path in paths
  ]
  facts_ = [f'common ancestor at height {hierarchy.node_heights[lowest]}']
  if 'confidences' in arrays:
    facts_.insert(0, f'confidence {arrays["confidences"][index]:.0%}')
  shown = ''
  if image is not None:
    uri = markup.data_uri(pictures.encoded_image(image), 'png')
    shown = f'<img src="{uri}" alt="{markup.escape(names[0][-1])}">'
  return (
    f'<figure class="tile">{shown}<figcaption>'
    f'<p>true: {_path(names[0], shared)}</p>'
    f'<p>predicted: {_path(names[1], shared)}</p>'
    f'<p><small>{", ".join(facts_)}</small></p></figcaption></figure>\n'
  )


def _path(names, shared) -> str:
  """A path whose first names are grey, and whose class is strong."""
  common, own = names[:shared], names[shared:]
  parts = [f'<span class="grey">{markup.text(name)}</span>' for name in common]
  parts += [markup.text(name) for name in own[:-1]]
  return ' › '.join([*parts, f'<strong>{markup.text(names[-1])}</strong>'])
