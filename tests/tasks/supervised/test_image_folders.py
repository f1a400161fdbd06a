"""Labelled images from folders.

Omniglot's and miniImageNet's layouts, a fixed rule for splits, and sentences for what can't be
read.
"""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from metarl.tasks.supervised.image_folders import find_classes, read_folder, split_by_name
from tests.tasks.made_folders import flat, omniglot, write_image


def test_omniglots_characters_lie_within_alphabets(tmp_path):
    classes = find_classes(omniglot(tmp_path), train_classes=5)
    assert (len(classes.train), len(classes.test)) == (5, 3)
    names = {*classes.train, *classes.test}
    wanted = {
        f"{part}/Alphabet_{i}{j}/character0{k}"
        for i, part in enumerate(("images_background", "images_evaluation"))
        for j in (0, 1)
        for k in (0, 1)
    }
    assert names == wanted
    assert all(len(files) == 3 for files in (*classes.train.values(), *classes.test.values()))


def test_train_and_test_folders_are_the_splits(tmp_path):
    (
        flat(tmp_path / "train", 3),
        flat(tmp_path / "val", 2, first=3),
        flat(tmp_path / "test", 2, first=5),
    )
    labelled = read_folder(tmp_path, 6, 1)
    assert labelled.names == ("class00", "class01", "class02", "class05", "class06")
    assert labelled.train == 3
    with pytest.raises(
        ValueError, match="has the folders train and test already; leave train_classes out"
    ):
        find_classes(tmp_path, 2)


def test_a_class_name_in_both_splits_is_refused_by_name(tmp_path):
    flat(tmp_path / "train", 2), flat(tmp_path / "test", 2, first=1)
    with pytest.raises(
        ValueError,
        match=(
            r"same name in train and in test: 'class01'\. .* take each out of one of the two, or,"
            r" .* rename one"
        ),
    ):
        read_folder(tmp_path, 6, 1)
    flat(tmp_path / "train", 8), flat(tmp_path / "test", 8)
    with pytest.raises(ValueError, match="'class00', 'class01', 'class02' and 5 more"):
        find_classes(tmp_path)


def test_three_quarters_are_for_training_by_a_rule_that_other_classes_have_no_say_in(tmp_path):
    before = find_classes(flat(tmp_path, 8))
    assert (len(before.train), len(before.test)) == (6, 2)
    flat(tmp_path, 4, first=8)
    after = find_classes(tmp_path, train_classes=6)
    names = sorted({*after.train, *after.test})
    first = split_by_name(names, 6)
    assert set(after.train) == first
    kept = [name for name in names if name in {*before.train, *before.test}]
    assert split_by_name(kept, 6) == set(before.train)
    assert split_by_name(kept, 3) < split_by_name(kept, 5)


def test_pixels_arrive_grey_or_coloured_and_stretched(tmp_path):
    labelled = read_folder(flat(tmp_path, 4, images=2), 6, 1)
    assert labelled.images.shape == (8, 1, 6, 6)
    assert labelled.images.dtype == torch.uint8
    start = 0
    for name, count in zip(labelled.names, labelled.counts.tolist(), strict=True):
        lower = labelled.images[start : start + count, 0, 5, 5].tolist()
        assert lower == [10 * int(name[-2:]) + j for j in range(2)], name
        start += count
    assert read_folder(tmp_path, 12, 3).images.shape == (8, 3, 12, 12)
    red = np.zeros((4, 8, 3), np.uint8)
    red[..., 0] = 200
    Image.fromarray(red).save(tmp_path / "class00" / "0.png")
    coloured = read_folder(tmp_path, 4, 3)
    at = [int(count) for count in coloured.counts.cumsum(0) - coloured.counts][
        coloured.names.index("class00")
    ]
    assert coloured.images[at].amax((1, 2)).tolist() == [
        200,
        0,
        0,
    ], "what changed on disk is read again"


def test_turned_classes_multiply_the_training_split(tmp_path):
    plain, turned = (
        read_folder(flat(tmp_path, 4), 6, 1, rotations=rotations) for rotations in (False, True)
    )
    assert (plain.train, len(plain.names)) == (3, 4)
    assert (turned.train, len(turned.names)) == (12, 13)
    assert torch.equal(turned.images[12], plain.images[0].rot90(1, (1, 2)))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"size": 0}, "a size of at least 1 pixel and 1 or 3 channels, not 0 and 1"),
        ({"channels": 2}, "1 or 3 channels, not 28 and 2"),
        ({"train_classes": 4}, "leaves no class for the split test"),
        ({"train_classes": 0}, "leaves no class for the split train"),
        (
            {"train_classes": 9},
            "train_classes must lie between 1 and 3, since there are 4 classes; it can't be 9",
        ),
    ],
)
def test_settings_that_do_not_fit_get_a_sentence(tmp_path, arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        read_folder(flat(tmp_path, 4), **{"size": 28, "channels": 1, **arguments})


def test_folders_without_images_get_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="There is no folder .*nowhere"):
        read_folder(tmp_path / "nowhere", 28, 1)
    (tmp_path / "class").mkdir()
    (tmp_path / "class" / "notes.txt").write_text("none")
    write_image(tmp_path / "loose.png", 0)
    with pytest.raises(
        ValueError, match="holds no images in folders of their own; put each class's images"
    ):
        read_folder(tmp_path, 28, 1)
    (flat(tmp_path) / "class99").mkdir()
    with pytest.raises(
        ValueError, match="class99 is empty; put a class's images into it, or take it away"
    ):
        read_folder(tmp_path, 28, 1)


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n" + b"\0" * 20])
def test_an_unreadable_image_is_named(tmp_path, content):
    bad = flat(tmp_path, 4) / "class02" / "1.png"
    bad.write_bytes(content)
    with pytest.raises(
        ValueError,
        match=r"class02/1.png can't be read as an image .*Restore it from a copy, or take it away",
    ):
        read_folder(tmp_path, 28, 1)


def test_links_count_as_what_they_lead_to(tmp_path):
    store = flat(tmp_path / "store", 8)
    root = tmp_path / "root"
    root.mkdir()
    for number, name in enumerate(sorted(path.name for path in store.iterdir())):
        if number < 6:
            (root / name).symlink_to(store / name)
        else:
            (root / name).mkdir()
            for file in (store / name).iterdir():
                (root / name / file.name).symlink_to(file)
    found = find_classes(root)
    wanted = find_classes(store)
    assert (list(found.train), list(found.test)) == (list(wanted.train), list(wanted.test))
    assert read_folder(root, 6, 1).counts.tolist() == [4] * 8


def test_links_that_lead_nowhere_or_in_a_circle_are_named(tmp_path):
    root = flat(tmp_path / "root", 4)
    (root / "lost").symlink_to(tmp_path / "nothing")
    with pytest.raises(
        ValueError,
        match=r"The link .*lost leads nowhere; restore what it leads to, or take it away\.",
    ):
        find_classes(root)
    (root / "lost").unlink()
    for target in (root, root / "circle"):
        (root / "circle").symlink_to(target)
        with pytest.raises(ValueError, match=r"The link .*circle leads (back to .*root|nowhere)"):
            find_classes(root)
        (root / "circle").unlink()


@pytest.mark.parametrize("how", ["linked folder", "linked files", "copied", "half copied"])
@pytest.mark.parametrize("where", ["train", "test"])
def test_a_class_under_a_second_name_is_refused(tmp_path, how, where):
    first = flat(tmp_path / "train", 3) / "class00"
    again = tmp_path / where / "zebra"
    flat(tmp_path / "test", 2, first=5)
    if how == "linked folder":
        again.symlink_to(first)
    elif how == "linked files":
        again.mkdir()
        for file in first.iterdir():
            (again / file.name).symlink_to(file)
    else:
        shutil.copytree(first, again)
    if how == "half copied":
        next(again.iterdir()).unlink()
    with pytest.raises(
        ValueError, match="The classes 'class00' and 'zebra' share [34] of their images"
    ):
        find_classes(tmp_path)
