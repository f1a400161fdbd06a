"""Labelled images of characters: each class a letter or digit, its examples drawn in the typefaces
that have it.

The default typefaces are those that matplotlib brings with it, whose tables say truly which
character a picture is (its TeX faces put other characters in Latin letters' places): DejaVu Sans,
Sans Mono and Serif and STIX General, in four styles each.
"""

import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from fontTools.ttLib import TTFont, TTLibError
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample

from metarl.core.paths import as_path
from metarl.core.seeding import derive_seed, numpy_generator
from metarl.tasks.supervised.few_shot import LabelledImages

__all__ = [
    "EXAMPLES",
    "SIZE",
    "characters_in",
    "default_faces",
    "drawings",
    "faces_in",
    "glyph_images",
    "kept_characters",
    "moved",
]

SIZE = 28  # of images' sides, in pixels
EXAMPLES = 20  # of each class
# sides of the drawings and of the glyphs in them, in pixels
CANVAS = 64
GLYPH = 44
CATEGORIES = ("Lu", "Ll", "Lo", "Nd")  # Unicode's letters and digits
# two characters are one where drawings are so alike on average, or in any face
ALIKE = 0.93
SAME = 0.98
TRAIN_PERCENT = 60  # of the characters
# how examples differ from drawings: at most so far turned, scaled, moved (pixels)
DEGREES = 10.0
SCALES = (0.85, 1.1)
SHIFT = 1.5


class Drawings(NamedTuple):
    """Characters as faces draw them, upright and as large as the glyph's frame."""

    pixels: Tensor  # [characters, faces, CANVAS, CANVAS] uint8
    present: Tensor  # [characters, faces] bool: the face has the character


def default_faces() -> list[Path]:
    """Matplotlib's faces of letters."""
    import matplotlib  # slow to import

    files = sorted((Path(matplotlib.get_data_path()) / "fonts" / "ttf").glob("*.ttf"))
    return [
        file
        for file in files
        if file.stem.startswith(("DejaVuSans", "DejaVuSerif", "STIXGeneral"))
        and "Display" not in file.stem
    ]


def faces_in(folder: str | Path) -> list[Path]:
    """Return every TrueType or OpenType file at or below `folder`.

    Raises:
        ValueError: no such folder, or none in it.
    """
    files = sorted(
        file for file in as_path(folder).rglob("*") if file.suffix.lower() in (".ttf", ".otf")
    )
    if not files:
        raise ValueError(
            f"There is no typeface (.ttf or .otf) in {str(folder)!r}; name a folder with some, or"
            " leave fonts out."
        )
    return files


def characters_in(face: Path) -> set[str]:
    """Return the letters and digits that `face` has, without those that Unicode composes of others,
    such as é.

    A face that draws many characters alike, as last resorts do, has none.

    Raises:
        ValueError: the file can't be read.
    """
    try:
        with TTFont(face, lazy=True) as font:
            table = font.getBestCmap() or {}
    except (TTLibError, OSError) as error:
        raise ValueError(
            f"{face} can't be read as a typeface ({error}). Restore it from a copy, or take it"
            " away."
        ) from error
    if len(set(table.values())) < len(table) / 2:
        return set()
    drawn = {chr(code) for code, glyph in table.items() if glyph != ".notdef"}
    return {
        character
        for character in drawn
        if unicodedata.category(character) in CATEGORIES
        and not unicodedata.decomposition(character)
    }


@lru_cache(maxsize=2)
def glyph_images(fonts: str | None = None, least_faces: int = 8) -> LabelledImages:
    """20 images [1, 28, 28] of each character, white on black; kept, since drawing takes a few
    seconds.

    Args:
        fonts: a folder of typefaces; matplotlib's if left out.
        least_faces: how many faces must have a character.

    Raises:
        ValueError: no typefaces, one that can't be read, or no character that so many of them have.
    """
    faces = default_faces() if fonts is None else faces_in(fonts)
    owned = [characters_in(face) for face in faces]
    counts = {
        character: sum(character in own for own in owned)
        for character in sorted(set().union(*owned))
    }
    characters = [character for character, count in counts.items() if count >= least_faces]
    if least_faces < 1 or not characters:
        raise ValueError(
            f"There are {len(faces)} typefaces in {fonts or 'matplotlib'}, and no letter or digit"
            f" that {least_faces} of them have; give least_faces a number from 1 to theirs, or name"
            " a folder with more."
        )
    drawn = drawings(characters, faces, owned)
    kept = kept_characters(drawn)
    kept = [i for i in kept if bool(drawn.present[i].any())]
    # Both cases together
    training = [
        derive_seed(0, "split of glyphs", characters[i].casefold()) % 100 < TRAIN_PERCENT
        for i in kept
    ]
    order = [
        i
        for wanted in (True, False)
        for i, trains in zip(kept, training, strict=True)
        if trains == wanted
    ]
    images = [moved(drawn.pixels[i, drawn.present[i]], ord(characters[i])) for i in order]
    names = tuple(f"{characters[i]} {unicodedata.name(characters[i], '')}".strip() for i in order)
    return LabelledImages(
        torch.cat(images), torch.full((len(order),), EXAMPLES), names, sum(training)
    )


def drawings(characters: list[str], faces: list[Path], owned: list[set[str]]) -> Drawings:
    """Return every character in every face that has it, scaled to the frame by its longer side.

    One that is drawn empty counts as missing.
    """
    pixels = np.zeros((len(characters), len(faces), CANVAS, CANVAS), np.uint8)
    for j, face in enumerate(faces):
        font = ImageFont.truetype(str(face), CANVAS, layout_engine=ImageFont.Layout.BASIC)
        for i, character in enumerate(characters):
            if character in owned[j]:
                _draw(character, font, pixels[i, j])
    drawn = torch.from_numpy(pixels)
    return Drawings(drawn, drawn.flatten(2).amax(2) > 0)


def _draw(character: str, font: ImageFont.FreeTypeFont, canvas: np.ndarray) -> None:
    left, top, right, bottom = (round(edge) for edge in font.getbbox(character))
    image = Image.new("L", (max(1, right - left), max(1, bottom - top)))
    ImageDraw.Draw(image).text((-left, -top), character, fill=255, font=font)
    inked = image.getbbox()
    if inked is None:
        return
    image = image.crop(inked)
    scale = GLYPH / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    x, y = (CANVAS - width) // 2, (CANVAS - height) // 2
    canvas[y : y + height, x : x + width] = np.asarray(
        image.resize((width, height), Image.Resampling.BILINEAR)
    )


def kept_characters(drawn: Drawings) -> list[int]:
    """Return which characters are classes: all but those that look like an earlier one in the faces
    that both have, as Greek and Latin A do.

    Likeness is the cosine of two drawings' angle, at a quarter of their size.
    """
    count, faces = drawn.present.shape
    total = torch.zeros(count, count)
    shared = torch.zeros(count, count)
    most = torch.zeros(count, count)
    for j in range(faces):
        small = avg_pool2d(drawn.pixels[:, j].float(), 4).flatten(1)
        small = small / small.norm(dim=1, keepdim=True).clamp_min(1e-6)
        alike = small @ small.t()
        both = (drawn.present[:, j, None] & drawn.present[None, :, j]).float()
        total = total + alike
        shared = shared + both
        most = torch.maximum(most, alike)
    twins = ((total / shared.clamp_min(1) >= ALIKE) | (most >= SAME)).numpy()
    kept: list[int] = []
    for i in range(count):
        if not twins[i, kept].any():
            kept.append(i)
    return kept


def moved(pixels: Tensor, code: int) -> Tensor:
    """20 examples [20, 1, 28, 28] uint8 of a character's drawings [faces, CANVAS, CANVAS].

    Faces are taken in turn, and each example is turned, scaled and moved a little, by numbers that
    depend on the character's `code` alone.
    """
    uniform = torch.from_numpy(numpy_generator(0, "glyph", code).random((EXAMPLES, 4)))
    angle = torch.deg2rad((2 * uniform[:, 0] - 1) * DEGREES)
    scale = SCALES[0] + (SCALES[1] - SCALES[0]) * uniform[:, 1]
    shift = (2 * uniform[:, 2:] - 1) * SHIFT / (SIZE / 2)  # [20, 2], in halves of a side
    turned = torch.stack(
        [torch.stack([angle.cos(), -angle.sin()], 1), torch.stack([angle.sin(), angle.cos()], 1)], 1
    )
    # Two samples a pixel and side: their mean is the pixel
    places = (torch.arange(2 * SIZE, dtype=torch.float64) + 0.5) / SIZE - 1
    rows, columns = torch.meshgrid(places, places, indexing="ij")
    grid = (
        torch.stack([columns, rows], -1)[None] - shift[:, None, None]
    )  # [20, 2 SIZE, 2 SIZE, 2]: x, y
    grid = torch.einsum("nij,nrcj->nrci", turned / scale[:, None, None], grid)
    chosen = pixels[torch.arange(EXAMPLES) % len(pixels)][:, None].double()
    return (
        avg_pool2d(grid_sample(chosen, grid, align_corners=False), 2)
        .round()
        .clamp(0, 255)
        .to(torch.uint8)
    )
