# Copyright 2026 The hafjax Authors.
# SPDX-License-Identifier: Apache-2.0
"""The report's pictures, as matplotlib figures, and figures as bytes."""

from collections.abc import Mapping, Sequence
import io
from typing import NamedTuple

from jaxtyping import Float, Int, UInt8
import matplotlib
from matplotlib import colors
from matplotlib import figure as figure_lib
from matplotlib import image as image_lib
from matplotlib import lines
from matplotlib import ticker
import numpy as np

from hafjax import plots
from hafjax.hierarchy import Hierarchy

# Those of Okabe and Ito that are dark enough for a line on white, to be told
# apart with any kind of colour vision; then again with the next dashes.
_COLOURS = (
  '#0072b2',
  '#d55e00',
  '#009e73',
  '#cc79a7',
  '#000000',
  '#56b4e9',
  '#e69f00',
)
# On and off, in widths of the line.
_DASHES = ((), (4, 1.5), (1.2, 1.2), (6, 1.2, 1.2, 1.2))

# Of a panel of a page, in inches.
_WIDTH, _HEIGHT = 4.2, 2.9


# What matplotlib finds ticks for, and no run gets near.
LARGEST = 1e100


class Style(NamedTuple):
  """How a method's lines look in all pictures."""

  colour: str
  dashes: tuple[float, ...]


class Curve(NamedTuple):
  """Values by epoch, over seeds; arrays of one length."""

  epochs: np.ndarray
  mean: np.ndarray
  low: np.ndarray
  high: np.ndarray


def styles(names: Sequence[str]) -> dict[str, Style]:
  """A style a name; the first 28 differ."""
  found = {}
  for i, name in enumerate(names):
    dashes = _DASHES[i // len(_COLOURS) % len(_DASHES)]
    found[name] = Style(_COLOURS[i % len(_COLOURS)], dashes)
  return found


def shown(name: str) -> str:
  """A name as matplotlib's text, where dollars begin formulas."""
  return name.replace('$', r'\$')


def curve_picture(
  curves: Mapping[str, Curve],
  looks: Mapping[str, Style],
  title: str,
  log: bool = False,
) -> figure_lib.Figure:
  """A line a method, with a band from the lowest seed to the highest.

  Args:
    curves: by method.
    looks: of the methods, see `styles`.
    title: what is drawn.
    log: whether the y axis is logarithmic, if all numbers are positive.

  Returns:
    A figure with one axes; its lines are the methods', in their order.
  """
  figure = figure_lib.Figure(figsize=(_WIDTH, _HEIGHT), layout='constrained')
  axis = figure.subplots()
  for name, curve in curves.items():
    look = looks[name]
    axis.plot(
      curve.epochs,
      curve.mean,
      color=look.colour,
      linestyle=_linestyle(look),
      linewidth=1.5,
      label=shown(name),
      # A line of one point cannot be seen.
      marker='o' if len(curve.epochs) == 1 else None,
    )
    axis.fill_between(
      curve.epochs, curve.low, curve.high, color=look.colour, alpha=0.15, lw=0
    )
  lows = np.concatenate([curve.low for curve in curves.values()])
  if log and (lows > 0).any() and not (lows <= 0).any():
    axis.set_yscale('log')
    axis.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter(ticker.StrMethodFormatter('{x:,g}'))
    axis.yaxis.set_minor_formatter(ticker.NullFormatter())
  axis.set_xlabel('epoch')
  axis.set_title(title, fontsize=10)
  axis.xaxis.set_major_locator(
    ticker.MaxNLocator(6, integer=True, min_n_ticks=1)
  )
  axis.grid(axis='y', color='0.9', linewidth=0.6)
  axis.spines[['top', 'right']].set_visible(False)
  axis.tick_params(labelsize=9)
  return figure


def line_picture(
  lines_by_name: Mapping[str, tuple[np.ndarray, np.ndarray]],
  looks: Mapping[str, Style],
  x: str,
  y: str,
) -> figure_lib.Figure:
  """A line a name, of one quantity over another.

  Args:
    lines_by_name: (x, y) of the points.
    looks: by name, see `styles`.
    x: name of the quantity along.
    y: name of the other.

  Returns:
    A figure with one axes; its lines are those given, in their order.
  """
  figure = figure_lib.Figure(figsize=(_WIDTH, _HEIGHT), layout='constrained')
  axis = figure.subplots()
  for name, points in lines_by_name.items():
    look = looks[name]
    axis.plot(
      # What is larger than ticks can be is not drawn.
      *(np.where(np.abs(p) < LARGEST, p, np.nan) for p in points),
      color=look.colour,
      linestyle=_linestyle(look),
      linewidth=1.5,
      label=shown(name),
      marker='o' if len(points[0]) == 1 else None,
    )
  axis.set_xlabel(shown(x))
  axis.set_title(shown(y), fontsize=10)
  axis.grid(axis='y', color='0.9', linewidth=0.6)
  axis.spines[['top', 'right']].set_visible(False)
  axis.tick_params(labelsize=9)
  return figure


def _linestyle(look):
  return (0, look.dashes) if look.dashes else '-'


def add_legend(figure: figure_lib.Figure, looks: Mapping[str, Style]):
  """Names the methods below a picture, which grows by as much."""
  handles = [
    lines.Line2D(
      [], [], color=look.colour, linestyle=_linestyle(look), label=shown(name)
    )
    for name, look in looks.items()
  ]
  columns = 2 if max(map(len, looks)) < 28 else 1
  width, height = figure.get_size_inches()
  figure.set_size_inches(width, height + 0.16 * -(-len(looks) // columns) + 0.1)
  figure.legend(
    handles=handles,
    loc='outside lower center',
    ncols=columns,
    frameon=False,
    fontsize=8,
    handlelength=3,
  )


def height_picture(
  shares: Mapping[str, Float[np.ndarray, 'h']], title: str
) -> figure_lib.Figure:
  """A bar a method, its parts the heights of the lowest common ancestors.

  Args:
    shares: by method, at heights 1 to H.
    title: of what they are shares.

  Returns:
    A figure with one axes; containers are the heights, from 1 on.
  """
  height = 1.1 + 0.24 * len(shares)
  figure = figure_lib.Figure(figsize=(5.2, height), layout='constrained')
  axis = figure.subplots()
  table = np.array(list(shares.values()))
  shades = matplotlib.colormaps['cividis_r'](
    np.linspace(0.05, 1, table.shape[1])
  )
  left = np.zeros(len(table))
  for i, (column, shade) in enumerate(zip(table.T, shades, strict=True)):
    axis.barh(
      range(len(table)),
      100 * column,
      left=left,
      height=0.72,
      color=shade,
      label=str(i + 1),
      edgecolor='white',
      linewidth=0.4,
    )
    left = left + 100 * column
  axis.set_yticks(range(len(table)), [shown(name) for name in shares])
  axis.invert_yaxis()
  axis.set_xlabel('%')
  axis.set_title(title, fontsize=10)
  axis.spines[['top', 'right', 'left']].set_visible(False)
  axis.tick_params(labelsize=9)
  axis.tick_params(axis='y', length=0)
  figure.legend(
    *axis.get_legend_handles_labels(),
    loc='outside lower center',
    ncols=min(table.shape[1], 8),
    frameon=False,
    fontsize=8,
    title='height of the lowest common ancestor',
    title_fontsize=8,
    handlelength=1,
  )
  return figure


def confusion_picture(
  counts: Int[np.ndarray, 'k k'], hierarchy: Hierarchy
) -> figure_lib.Figure:
  """Shares of each true class (rows) that are predicted as each (columns).

  Classes stand in tree order. Colours follow the square root of the share,
  or else rare mistakes could not be seen.

  Args:
    counts: from `mistakes.confusion`.
    hierarchy: of the K classes.

  Returns:
    A figure with the matrix's axes and the colour bar's.
  """
  totals = counts.sum(axis=1, keepdims=True)
  figure = plots.similarity_picture(counts / np.maximum(totals, 1), hierarchy)
  axis, bar = figure.axes
  (image,) = axis.images
  image.set(cmap='Blues', norm=colors.PowerNorm(0.5, 0, 1))
  bar.set_ylabel('share of the true class')
  axis.set_ylabel('true class')
  where = axis.get_xlabel()
  axis.set_xlabel(f'predicted class ({where})' if where else 'predicted class')
  return figure


# --- Bytes -------------------------------------------------------------------

# The same files give the same report, byte by byte.
_RC = {'svg.hashsalt': 'hafjax'}
_METADATA = {
  'svg': {'Date': None},
  'pdf': {'CreationDate': None},
  'png': {'Software': None},
}


def encoded(figure: figure_lib.Figure, kind: str, dpi: float = 150) -> bytes:
  """A figure as a file of a kind, 'svg', 'pdf' or 'png'."""
  file = io.BytesIO()
  with matplotlib.rc_context(_RC):
    figure.savefig(file, format=kind, dpi=dpi, metadata=_METADATA[kind])
  return file.getvalue()


def encoded_image(pixels: UInt8[np.ndarray, 'h w c']) -> bytes:
  """An image of one channel or three as a PNG, pixel by pixel."""
  file = io.BytesIO()
  if pixels.shape[-1] == 1:
    pixels = np.repeat(pixels, 3, axis=-1)
  image_lib.imsave(file, np.ascontiguousarray(pixels), format='png')
  return file.getvalue()
