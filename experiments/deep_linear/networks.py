# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""Linear layers on real networks, beside what the theory predicts for them."""

import pathlib
import tempfile
from typing import NamedTuple

from absl import logging
from matplotlib import figure as figure_lib
import numpy as np

from configs import deep_linear_fashion_mnist
from experiments.deep_linear import common
from hafjax import collapse
from hafjax import ufm
from hafjax.data import load_dataset
from hafjax.report import plots
from hafjax.runs import checkpoints
from hafjax.runtime.devices import Devices
from hafjax.train.forward import ForwardPass
from hafjax.train.predictions import predictions
from hafjax.train.run import train_and_evaluate
from hafjax.train.setup import make_experiment

_WORKDIR = pathlib.Path(tempfile.gettempdir()) / 'hafjax' / 'deep_linear'
_BALANCED = {'imbalance.counts': (2000,) * 10}
_LONG_TAIL = {'imbalance.factor': 10.0}
# Features that may be negative, without which there is no simplex ETF.
_CENTRED = {'top': 'linear', 'feature_dim': 64}
_DECAYS = {'method.weight_decay': 5e-3, 'method.feature_decay': 2.5e-6}

# Name -> (geometry that is predicted, fields of the config).
CASES = {
  'MSE, 1 layer': ('orthogonal', _BALANCED),
  'MSE, 3 layers': ('orthogonal', _BALANCED | {'method.depth': 3}),
  'MSE, 1 layer, bias': (
    'simplex ETF',
    _BALANCED | _CENTRED | {'method.bias': True},
  ),
  'CE, 1 layer': ('simplex ETF', _BALANCED | _CENTRED | {'method.loss': 'ce'}),
  'MSE, 1 layer, 10:1': ('orthogonal, of lengths', _LONG_TAIL),
  'MSE, 3 layers, 10:1': (
    'orthogonal, of lengths',
    _LONG_TAIL | {'method.depth': 3},
  ),
}


_MEASURES = {
  'nc1': 'NC1: spread within classes',
  'predicted_nc2_means': 'NC2: class means from prediction',
  'predicted_nc2_classifier': 'NC2: classifier from prediction',
  'predicted_nc3': 'NC3: classifier with class means',
}


class Run(NamedTuple):
  """A training that is done, at its last step.

  Attributes:
    counts: training examples of each class.
    history: records of collapse, by epoch.
    last: what was logged of the last epoch.
    objective: the closed form's.
    predicted: the geometry of features and classifier.
    means: class means of the features of training images, [K, d].
    weights: classifier rows, [K, d].
  """

  counts: np.ndarray
  history: list[dict]
  last: dict
  objective: float
  predicted: collapse.Prediction
  means: np.ndarray
  weights: np.ndarray


def config_of(fields: dict):
  """The config of a case, by what differs from the config file."""
  config = deep_linear_fashion_mnist.get_config()
  config.update_from_flattened_dict(_DECAYS | fields)
  return config


def trained(folder: pathlib.Path, config) -> Run:
  """Trains, unless that is done, and measures the last state."""
  train_and_evaluate(config, folder)
  data = load_dataset(config)
  experiment = make_experiment(config, data)
  device = Devices(data)
  work = checkpoints.Workdir(folder, checkpoints.describe(config, data))
  state = work.restore(work.latest_step(), device.abstract_state(experiment))
  network = ForwardPass(experiment, data, device)
  found = predictions(network, state, 'train', config.eval_batch_size)
  method, width = config.method, found['class_means'].shape[1]
  counts = np.bincount(data.splits['train'].labels)
  exact = ufm.minimum(
    counts.tolist(),
    dims=(width,) * method.depth,
    weight_decays=(method.weight_decay,) * method.depth,
    feature_decay=method.feature_decay,
    bias=method.bias,
    loss=method.loss,
  )
  history, log = work.history('collapse'), work.history()
  work.close()
  return Run(
    counts,
    history,
    log[-1],
    exact.objective,
    experiment.method.predicted['features'],
    found['class_means'],
    found['weights'],
  )


def part() -> common.Part:
  runs = {}
  for number, (name, (_, fields)) in enumerate(CASES.items(), 1):
    logging.info('Network %d of %d: %s.', number, len(CASES), name)
    config = config_of(fields)
    runs[name] = trained(_WORKDIR / name.replace(' ', '_'), config)
  tailed = {name: run for name, run in runs.items() if len(set(run.counts)) > 1}
  return common.Part(
    'Fashion-MNIST as it is (no augmentation), 2,000 training images a class '
    'or a long tail from 5,400 to 540; an MLP of two ReLU layers of 256, '
    'without weight decay, below 1 or 3 linear layers (widths of 256; the '
    'simplex ETFs: a linear map to 64 features and BatchNorm in between, for '
    'what comes out of a ReLU cannot be negative); decays of each layer 5e-3, '
    'of the features 2.5e-6; SGD, 100 epochs. Objective: the closed form of '
    'free features, and the mean of the last epoch, while training. NC1 to NC3 '
    'at the end, of all training images, against the predicted geometry; 0 is '
    'collapse.',
    'network,predicted geometry,train top-1 %,objective,found,NC1,NC2 means,'
    'NC2 rows,NC3',
    [row(name, CASES[name][0], run) for name, run in runs.items()],
    {'': curves_figure(runs), 'lengths': lengths_figure(tailed)},
  )


def row(name: str, geometry: str, run: Run) -> list[str]:
  return [
    name,
    geometry,
    f'{100 * run.last["train_top1"]:.2f}',
    f'{run.objective:.4f}',
    f'{run.last["train_loss"]:.4f}',
    *(f'{run.history[-1][key]:.3f}' for key in _MEASURES),
  ]


def curves_figure(runs: dict[str, Run]) -> figure_lib.Figure:
  """A panel a measure, a line a network."""
  figure, axes = common.grid(2, 2, width=4, height=2.6)
  looks = plots.styles(list(runs))
  for axis, (key, title) in zip(axes.flat, _MEASURES.items(), strict=True):
    for name, run in runs.items():
      epochs = [record['epoch'] for record in run.history]
      values = [record[key] for record in run.history]
      axis.plot(epochs, values, color=looks[name].colour, lw=1.2, label=name)
    axis.set(yscale='log')
    axis.set_title(title, fontsize=9)
  for axis in axes[-1]:
    axis.set_xlabel('epoch')
  common.legend(figure, axes.flat[0], columns=3)
  return figure


def lengths_figure(runs: dict[str, Run]) -> figure_lib.Figure:
  """Lengths of class means and classifier rows by class size."""
  figure, axes = common.grid(len(runs), 2, width=4, height=2.4)
  for row_axes, (name, run) in zip(axes, runs.items(), strict=True):
    for axis, what, gram, found in zip(
      row_axes,
      ('class means', 'classifier rows'),
      (run.predicted.means, run.predicted.rows),
      (run.means, run.weights),
      strict=True,
    ):
      predicted = np.sqrt(np.diag(gram))
      axis.plot(run.counts, predicted, '--', color='#d55e00', label='predicted')
      lengths = np.linalg.norm(found, axis=1)
      axis.plot(run.counts, lengths, 'o', color='black', ms=4, label='found')
      axis.set(ylim=(0, 1.2 * max(*predicted, *lengths)))
      axis.set_title(f'{name}: lengths of {what}', fontsize=9)
  for axis in axes[-1]:
    axis.set_xlabel('training images of the class')
  common.legend(figure, axes.flat[0])
  return figure
