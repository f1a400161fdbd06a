"""Few-shot classification of characters, drawn from typefaces.

A real image set that needs no download.
"""

from typing import Any

from metarl.tasks.supervised.few_shot import FewShotClassification
from metarl.tasks.supervised.glyphs import glyph_images

__all__ = ["GlyphClassification"]


class GlyphClassification(FewShotClassification):
    """Tell N characters apart after K images of each.

    | part | value |
    |---|---|
    | class | a letter or digit of any alphabet that at least `least_faces` typefaces have; accented ones are left out |
    | twins | characters that look alike, such as Latin A, Greek Alpha and Cyrillic A, are one class |
    | example | 20 of each class: the faces in turn, each drawing turned by at most 10 degrees, scaled by 0.85 to 1.1 and moved by at |
    | | most 1.5 pixels, by numbers fixed for each character. 8 to 16 faces have a character, so some faces draw two or three examples |
    | input | an image [1, 28, 28], from 0 (paper) to 1 (ink); the character's longer side is about 19 pixels, whatever its size in print |
    | target | the label, from 0 to ways - 1; a class's label is drawn anew in each task |
    | support | `shots` images of each class |
    | query | `queries` other images of each class |
    | loss | cross-entropy, in nats; ln(ways) for who guesses |
    | splits | train, test: by a hash of the letter, six in ten for training; no character is in both, nor its other case |
    | bound | loss 0 and accuracy 1 are not quite in reach: some characters, such as o and ɵ, are hard to tell apart in 28 x 28 pixels |
    | versions | v0 |

    The faces are four styles each of four designs, so examples of a class are more alike than
    twenty people's drawings: accuracies say nothing of Omniglot's, whose tasks have the same form.
    Pixels may differ in a shade between versions of FreeType.

    Args:
        ways: N, classes of a task.
        shots: K, images of each class to learn from.
        queries: images of each class to be scored on.
        train_shots, train_queries: the same for the split `train`; as for `test` where None.
        fonts: a folder of typefaces (.ttf, .otf); those that matplotlib brings with it if None.
        least_faces: faces that must have a character.

    Raises:
        ValueError: no typefaces, one that can't be read, or too few characters for the ways.
    """

    id = "GlyphClassification-v0"

    def __init__(
        self,
        ways: int = 5,
        shots: int = 1,
        queries: int = 1,
        train_shots: int | None = None,
        train_queries: int | None = None,
        fonts: str | None = None,
        least_faces: int = 8,
    ):
        self.source = {"fonts": None if fonts is None else str(fonts), "least_faces": least_faces}
        super().__init__(
            glyph_images(self.source["fonts"], least_faces),
            ways,
            shots,
            queries,
            train_shots,
            train_queries,
        )

    def config(self) -> dict[str, Any]:
        return {**super().config(), **self.source}
