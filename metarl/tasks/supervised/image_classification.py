"""Few-shot classification of the images in a folder, such as Omniglot's or miniImageNet's."""

from typing import Any

from metarl.tasks.supervised.few_shot import FewShotClassification
from metarl.tasks.supervised.image_folders import read_folder

__all__ = ["ImageClassification"]


class ImageClassification(FewShotClassification):
    """Tell N classes of the images in a folder apart after K images of each.

    | part | value |
    |---|---|
    | class | a folder that holds images, at any depth, named by its path |
    | input | an image, stretched to `size` x `size`, grey (1 channel) or red, green, blue (3), from 0 (black) to 1 (white) |
    | target | the label, from 0 to ways - 1; a class's label is drawn anew in each task |
    | support | `shots` images of each class |
    | query | `queries` other images of each class |
    | loss | cross-entropy, in nats; ln(ways) for who guesses |
    | splits | train, test: no class is in both |
    | bound | loss 0 and accuracy 1 |
    | versions | v0 |

    Where the folder has subfolders train and test (miniImageNet), they are the splits; others
    beside them, such as val, are left out. Otherwise the classes are ordered by a hash of their
    names, and `train_classes` of them, or three quarters, are for training: Nichol et al. 2018 take
    1,200 of Omniglot's 1,623 characters, of images_background and images_evaluation together, and
    turn them by quarters.

    Args:
        folder: where the images are; nothing is downloaded.
        ways: N, classes of a task.
        shots: K, images of each class to learn from.
        queries: images of each class to be scored on.
        train_shots, train_queries: the same for the split `train`; as for `test` where None.
        size: of the images' sides, in pixels.
        channels: 1 or 3.
        rotations: have each training class four times, turned by 0, 90, 180 and 270 degrees.
        train_classes: classes for training, where the folder has no train and test; turned ones
            aren't counted.

    Raises:
        ValueError: a folder without images, too few classes, a class with too few images, or an
            image that can't be read, each by name.
    """

    id = "ImageClassification-v0"

    def __init__(
        self,
        folder: str,
        ways: int = 5,
        shots: int = 1,
        queries: int = 1,
        train_shots: int | None = None,
        train_queries: int | None = None,
        size: int = 28,
        channels: int = 1,
        rotations: bool = False,
        train_classes: int | None = None,
    ):
        self.source = {
            "folder": str(folder),
            "size": size,
            "channels": channels,
            "rotations": rotations,
            "train_classes": train_classes,
        }
        images = read_folder(folder, size, channels, rotations, train_classes)
        super().__init__(images, ways, shots, queries, train_shots, train_queries)

    def config(self) -> dict[str, Any]:
        return {**super().config(), **self.source}
