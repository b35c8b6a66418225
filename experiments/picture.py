# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
r"""The pictures of CIFAR-100's frame; the README's is the first.

    python -m experiments.picture
    python -m experiments.picture --spectra --embedding

Cosines of a simplex ETF beside a HAFrame's (frames.png), and, if asked for, the
spectra of similarities (spectra.png) and class vectors in the plane
(embedding.png), all in experiments/results unless --out says otherwise.
"""

import argparse
import pathlib

from hafjax import frames
from hafjax import plots
from hafjax.hierarchy import load_hierarchy

_GAMMA = 2.0


def draw_frames(hierarchy, gamma):
  """Similarity matrices of both frames."""
  etf = frames.simplex_etf(hierarchy.num_classes)
  cosines = {
    'simplex ETF: all mistakes are equal': etf @ etf.T,
    'HAFrame: cosines follow the hierarchy': frames.similarity(
      hierarchy, gamma
    ),
  }
  return plots.similarity_picture(cosines, hierarchy)


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--out', default='experiments/results/frames.png')
  parser.add_argument('--spectra', action='store_true')
  parser.add_argument('--embedding', action='store_true')
  args = parser.parse_args()
  out = pathlib.Path(args.out)
  hierarchy = load_hierarchy('cifar100')
  files = {out: draw_frames(hierarchy, _GAMMA)}
  if args.spectra:
    files[out.with_name('spectra.png')] = plots.spectrum_picture(
      hierarchy, [0.5, 1, 2, 4, 8]
    )
  if args.embedding:
    files[out.with_name('embedding.png')] = plots.embedding_picture(
      frames.haframe(hierarchy, _GAMMA), hierarchy
    )
  for file, figure in files.items():
    figure.savefig(file, dpi=110, bbox_inches='tight')


if __name__ == '__main__':
  main()
