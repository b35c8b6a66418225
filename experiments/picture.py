# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""The picture in the README: cosines of a simplex ETF beside a HAFrame's.

python -m experiments.picture --out=experiments/results/frames.png
"""

import argparse

import matplotlib

matplotlib.use('Agg')
from matplotlib import pyplot as plt
import numpy as np

from hafjax import frames
from hafjax import hierarchy as hierarchy_lib


def draw(gamma: float = 2.0) -> plt.Figure:
  """Similarity matrices for CIFAR-100, classes in the order of the tree."""
  tree = hierarchy_lib.load_hierarchy('cifar100')
  # Nodes are numbered level by level; a stable sort by ever finer levels puts
  # classes that share ancestors beside each other.
  levels = [tree.level_labels(level) for level in range(tree.height + 1)]
  order = np.lexsort(levels[::-1])
  pictures = {
    'simplex ETF: all mistakes are equal': frames.simplex_etf(tree.num_classes),
    'HAFrame: cosines follow the hierarchy': frames.haframe(tree, gamma),
  }
  figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), layout='constrained')
  for axis, (title, frame) in zip(axes, pictures.items(), strict=True):
    cosines = (frame @ frame.T)[np.ix_(order, order)]
    image = axis.imshow(cosines, cmap='RdBu_r', vmin=-1, vmax=1)
    axis.set_title(title, fontsize=11)
    axis.set_xticks([])
    axis.set_yticks([])
    for level, width in ((2, 1.2), (4, 0.4)):
      groups = levels[level][order]
      for edge in np.flatnonzero(np.diff(groups)) + 0.5:
        axis.axhline(edge, color='black', linewidth=width)
        axis.axvline(edge, color='black', linewidth=width)
  axes[0].set_ylabel('100 classes of CIFAR-100, in tree order')
  figure.colorbar(image, ax=axes, shrink=0.9, label='cosine')
  return figure


def main():
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--out', default='experiments/results/frames.png')
  draw().savefig(parser.parse_args().out, dpi=110)


if __name__ == '__main__':
  main()
