"""Folders of tiny images, class by class, for tests."""

import numpy as np
from PIL import Image

__all__ = ["flat", "omniglot", "write_image"]


def write_image(file, value, size=6, mark=None):
    """A grey image that is `value` throughout, but for its upper left corner, which is white, and
    one pixel that is `mark`.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((size, size), value, np.uint8)
    pixels[: size // 2, : size // 2] = 255
    if mark is not None:
        pixels[-1, -1] = mark
    Image.fromarray(pixels).save(file)


def flat(folder, classes=8, images=4, first=0):
    """Class folders side by side.

    Image j of class i is of grey 10 i + j, and marked by i where greys of classes overlap.
    """
    for i in range(first, first + classes):
        for j in range(images):
            write_image(
                folder / f"class{i:02}" / f"{j}.png",
                (10 * i + j) % 256,
                mark=i if images > 10 else None,
            )
    return folder


def omniglot(folder, images=3):
    """images_background and images_evaluation with two alphabets each of two characters each."""
    for i, part in enumerate(("images_background", "images_evaluation")):
        for j in range(2):
            for k in range(2):
                for m in range(images):
                    write_image(
                        folder / part / f"Alphabet_{i}{j}" / f"character{k:02}" / f"{m}.png",
                        100 * i + 40 * j + 20 * k + m,
                    )
    return folder
