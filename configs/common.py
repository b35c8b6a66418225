# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Every field of a config, with what it means, and the methods' variants."""

import copy

from ml_collections import config_dict

from hafjax import methods
from hafjax import metrics

# What follows the colon in --config=configs/NAME.py:VARIANT. 'pool' is the
# paper's type I network, 'transform' its type II.
_FIXED = dict(top='transform')


def _rotation() -> dict:
  """Every field of `methods.fixed.Rotation`."""
  return dict(
    every=100, freeze_step=config_dict.placeholder(int), decay=0.99, delta=1e-3
  )


def _haframe(**parameters) -> dict:
  """The published method; configs set their own gamma and alpha."""
  method = dict(name='haframe', gamma=2.0, alpha=0.4) | parameters
  return dict(**_FIXED, method=method)


def _same_network(name: str, **parameters) -> dict:
  """Any other method, on the network of the fixed frames (type II)."""
  return dict(**_FIXED, method=dict(name=name, **parameters))


VARIANTS = {
  'haframe': _haframe(),
  # Its parts: the frame under cross-entropy alone, or the cosine loss alone;
  # similarity falling linearly; a mix that moves to the cosine loss; and a
  # frame that turns to the features.
  'haframe_ce': _haframe(alpha=0.0),
  'haframe_cosine': _haframe(alpha=1.0),
  'haframe_linear': _haframe(mapping='linear'),
  'haframe_increase': _haframe(schedule='linear_increase'),
  'haframe_nearest': _haframe(rotation=_rotation()),
  # A simplex ETF in the place of the frame: under cross-entropy, with the
  # cosine loss, under dot regression, and turning to the features.
  'etf': _same_network('etf'),
  'etf_cosine': _same_network('etf', alpha=0.4),
  'etf_dr': _same_network('etf_dr'),
  'nearest_etf': _same_network('etf', rotation=_rotation()),
  # A learned classifier on the same network, and on the plain one (type I).
  'cross_entropy': _same_network('cross_entropy'),
  'cross_entropy_type1': dict(top='pool', method=dict(name='cross_entropy')),
  'label_smoothing': _same_network('cross_entropy', label_smoothing=0.1),
  # Other losses for it.
  'soft_labels': _same_network('soft_labels'),
  'hxe': _same_network('hxe'),
  'hace': _same_network('hace'),
  # A classifier of all nodes.
  'yolo_v2': _same_network('yolo_v2'),
  'conditional_sigmoid': _same_network('conditional_sigmoid'),
  'soft_max_descendant': _same_network('soft_max_descendant'),
  'soft_max_margin': _same_network('soft_max_margin'),
  # Fixed class vectors of other kinds.
  'barz_denzler': _same_network('barz_denzler'),
  'barz_denzler_ce': _same_network('barz_denzler', cross_entropy_weight=0.1),
  'devise': _same_network('devise'),
  'hier_cos': _same_network('hier_cos'),
  # A classifier per level.
  'flamingo': _same_network('flamingo'),
  'hafeature': _same_network('hafeature'),
}

# Not compared with the others, and in need of other rates: see the configs
# deep_linear_*.py.
THEORY = {
  # Linear layers on free features, as the theory of collapse has them: only
  # features and layers decay, in the loss.
  'deep_linear': dict(
    top='pool', weight_decay=0.0, method=dict(name='deep_linear')
  ),
}


def get_config(variant: str | None = None) -> config_dict.ConfigDict:
  """The fields that every config has.

  Args:
    variant: a key of `VARIANTS` or `THEORY`; 'haframe' if None.
  """
  variant = variant or 'haframe'
  variants = VARIANTS | THEORY
  if variant not in variants:
    raise ValueError(
      f'There is no variant {variant!r}; there are {", ".join(variants)}.'
    )
  # Every parameter of the method becomes a field, to be overridden.
  # Copied, for a placeholder passes what it is set to on to all who have it.
  chosen = copy.deepcopy(variants[variant])
  method = chosen['method']
  method = {**methods.defaults(method['name']), **method}
  return config_dict.create(
    variant=variant,
    # 'train' trains (or continues, or reports what is done); 'eval' measures
    # the best checkpoint of a workdir on the test split.
    mode='train',
    # Fixes initial weights, order, augmentation and a frame's rotation.
    seed=0,
    # --- data
    # A key of hafjax.data.SPECS.
    dataset='synthetic',
    # Where the data is; '' for the place that the data set has by default.
    data_dir='',
    # Built-in hierarchy or file; '' for the data set's own.
    hierarchy='',
    # Depth at which ancestors are the classes; None for the leaves.
    level=config_dict.placeholder(int),
    # 'lca_height' or 'lca_depth' of the hierarchy, or a file of distances of
    # your own (`frames.load_distances`); '' for what the data set's results
    # use.
    distance='',
    # Height and width in pixels. Images in files are stretched to it (None:
    # 224), those of data sets in memory are zero-padded (None: their own).
    image_size=config_dict.placeholder(int),
    # Border that random crops move in, and mirroring; None for the data
    # set's own.
    crop_padding=config_dict.placeholder(int),
    flip=config_dict.placeholder(bool),
    # Training examples of each class: the first so many, in the hierarchy's
    # order of classes; () for all. Or a long tail: by what factor the last
    # class has fewer than the first.
    imbalance=dict(counts=(), factor=1.0),
    # Random resized crops of training images in files: 'resized', 'stretched'
    # (of the image once stretched to a square), or '' for none; None for the
    # data set's own.
    random_crop=config_dict.placeholder(str),
    # Of pixels in [0, 1], per channel; None for the data set's own.
    mean=config_dict.placeholder(tuple),
    std=config_dict.placeholder(tuple),
    # Images in files, none of it seen by the results: processes that decode
    # them (0: a thread per CPU core); up to how many GiB, decoded, they are
    # kept in a file from the first run on; and its folder, '' for
    # ~/.cache/hafjax.
    input=dict(workers=0, memory_gib=4.0, cache_dir=''),
    # --- network
    # Backbone, a name for hafjax.models.build.
    model='convnet',
    # File that the backbone's first weights and statistics are read from, see
    # hafjax/pretrained; '' to draw them by the seed.
    init_from='',
    # Width of the features; None for what the method wants: K, as a rule.
    feature_dim=config_dict.placeholder(int),
    # Type I ('pool'), 'linear' or type II ('transform').
    top=chosen['top'],
    # The method's name and parameters, see its file in hafjax/methods.
    method=method,
    # Compute type of the network: 'float32' or 'bfloat16'.
    dtype='float32',
    # --- optimisation: SGD, weight decay on everything that is learned
    batch_size=64,
    num_epochs=10,
    # Parts of a batch that are computed one after another, to save memory; the
    # gradient is the whole batch's, BatchNorm's statistics are each part's.
    microbatches=1,
    # Devices that batches are split over (-1: all that are left), and devices
    # that the classes are split over: the classifier or frame, the layers
    # before it and the logits. None of it changes the curve.
    mesh=dict(data=-1, model=1),
    # Length that the gradient is cut to; None for any.
    clip_norm=config_dict.placeholder(float),
    # Peak rates; each falls to zero along a cosine.
    lr=dict(backbone=0.01, transformation=0.01, classifier=0.1),
    momentum=0.9,
    weight_decay=chosen.get('weight_decay', 5e-4),
    # --- bookkeeping
    # Examples a step in evaluation.
    eval_batch_size=500,
    # Epochs between evaluations; each saves a checkpoint.
    eval_every=1,
    # Minutes between checkpoints within epochs: what a kill loses at most.
    save_minutes=10.0,
    # Epochs between checkpoints that stay, a multiple of eval_every; 0 for none
    # beside the latest and the best.
    keep_every=0,
    # Class ranks at which metrics are reported.
    ks=metrics.KS,
    # Neural collapse: epochs between measures, a multiple of eval_every (0 for
    # none); of which splits; and at which layers: 'features' (what the
    # classifier receives) or those of the backbone, 'level1' and so on.
    collapse=dict(every=0, splits=('train',), layers=('features',)),
    # Rules that read predictions off class probabilities, reported beside the
    # method's own: 'crm', 'hie', 'hie:LEVEL', 'hie:WORKDIR' (of a run with a
    # config.level) and 'selective', see hafjax/rules.py.
    eval=dict(rules=()),
    # Steps that JAX's profiler watches, from the tenth on; written for
    # TensorBoard, below the workdir. 0 for none.
    profile=0,
    # Seconds between progress lines.
    log_seconds=10.0,
  )


def resnet_50_config(
  variant: str | None, dataset: str, *, gamma: float, alpha: float
) -> config_dict.ConfigDict:
  """The HAFrame paper's recipe for photographs: ResNet-50, 224 pixels.

  Args:
    variant: as for `get_config`.
    dataset: its name.
    gamma: HAFrame's, on this data set.
    alpha: likewise; ablations that are about alpha keep theirs.
  """
  config = get_config(variant)
  if config.method.name == 'haframe':
    config.method.gamma = gamma
    default = VARIANTS['haframe']['method']['alpha']
    if config.method.alpha == default:
      config.method.alpha = alpha
  config.update(
    dataset=dataset,
    model='resnet_50',
    image_size=224,
    batch_size=256,
    eval_batch_size=256,
    num_epochs=100,
  )
  return config
