# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Curves of the runs of experiments.compare: mean and 95% band over seeds.

    python -m experiments.curves --workdir=/tmp/hafjax/fashion_mnist \
        --methods=haframe,haframe_nearest --out=curves.png

Reads WORKDIR/METHOD/SEED/metrics.jsonl; --metrics chooses what is drawn.
"""

import argparse
import json
import pathlib

from matplotlib import figure as figure_lib
import numpy as np

from hafjax.runs import tables

LABELS = {
  'val_top1': 'validation top-1',
  'val_mistake_severity': 'mistake severity',
  'val_feature_cosine': 'cosine of features to their class vector',
  'val_class_mean_cosine': 'cosine of class means to their class vector',
  'train_loss': 'training loss',
}
DEFAULT = 'val_top1,val_mistake_severity,val_feature_cosine'


def histories(folder: pathlib.Path) -> list[list[dict]]:
  """What each seed's run has logged, evaluation by evaluation."""
  files = sorted(folder.glob('*/metrics.jsonl'))
  if not files:
    raise SystemExit(f'{folder} holds no runs: train them first.')
  return [
    [json.loads(line) for line in file.read_text().splitlines()]
    for file in files
  ]


def draw(workdir: pathlib.Path, methods, metrics) -> figure_lib.Figure:
  """One panel a metric, one curve a method."""
  figure = figure_lib.Figure(
    figsize=(3.6 * len(metrics), 3.4), layout='constrained'
  )
  axes = figure.subplots(1, len(metrics), squeeze=False)[0]
  for method in methods:
    runs = histories(workdir / method)
    epochs = [record['epoch'] for record in runs[0]]
    for axis, metric in zip(axes, metrics, strict=True):
      columns = zip(*([r[metric] for r in run] for run in runs), strict=True)
      middle, half = np.transpose(list(map(tables.mean_and_interval, columns)))
      (line,) = axis.plot(epochs, middle, marker='o', ms=3, label=method)
      axis.fill_between(
        epochs, middle - half, middle + half, color=line.get_color(), alpha=0.15
      )
  for axis, metric in zip(axes, metrics, strict=True):
    axis.set(xlabel='epoch', title=LABELS.get(metric, metric))
    axis.title.set_fontsize(10)
    axis.spines[['top', 'right']].set_visible(False)
  figure.legend(
    *axes[0].get_legend_handles_labels(),
    loc='outside lower center',
    ncols=len(methods),
    frameon=False,
  )
  return figure


def main():
  parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument('--workdir', type=pathlib.Path, required=True)
  parser.add_argument('--methods', required=True, help='by commas')
  parser.add_argument('--metrics', default=DEFAULT, help='by commas')
  parser.add_argument('--out', default='curves.png')
  args = parser.parse_args()
  figure = draw(args.workdir, args.methods.split(','), args.metrics.split(','))
  figure.savefig(args.out, dpi=110)


if __name__ == '__main__':
  main()
