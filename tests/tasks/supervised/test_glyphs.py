"""Characters as images.

Which are classes, that a class's drawings are of one character, and sentences for typefaces that
can't be used.
"""

import shutil
import unicodedata

import pytest
import torch

from metarl.tasks.supervised import glyphs
from metarl.tasks.supervised.glyphs import (
    EXAMPLES,
    SIZE,
    characters_in,
    default_faces,
    drawings,
    faces_in,
    glyph_images,
    kept_characters,
    moved,
)


def drawn_of(text):
    faces = default_faces()
    return drawings(list(text), faces, [characters_in(face) for face in faces])


def test_there_are_hundreds_of_characters_for_training_and_hundreds_for_tests():
    labelled = glyph_images()
    assert labelled.train >= 300
    assert len(labelled.names) - labelled.train >= 200
    assert labelled.counts.tolist() == [EXAMPLES] * len(labelled.names)
    assert labelled.images.shape == (EXAMPLES * len(labelled.names), 1, SIZE, SIZE)
    assert len(set(labelled.names)) == len(labelled.names)
    assert glyph_images() is labelled, "kept"


def test_every_example_shows_ink_and_paper_within_its_frame():
    images = glyph_images().images[:, 0].float()
    assert float(images.amax((1, 2)).min()) > 120
    edge = torch.cat([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], 1)
    assert float((edge > 64).any(1).float().mean()) < 0.01, "hardly any glyph is cut"
    covered = (images > 127).float().mean((1, 2))
    assert float(covered.min()) > 0.01
    assert float(covered.max()) < 0.5


def test_classes_are_letters_and_digits_without_accents():
    for name in glyph_images().names:
        character = name[0]
        assert unicodedata.category(character)[0] in "LN", name
        assert not unicodedata.decomposition(character), name


def test_twins_are_one_class_and_others_are_not():
    assert kept_characters(drawn_of("AΑАBΒВ")) == [0, 3], "of Latin, Greek and Cyrillic, the first"
    assert kept_characters(drawn_of("AB8G6")) == [0, 1, 2, 3, 4]
    names = [name[0] for name in glyph_images().names]
    assert not {"Α", "А", "Ο", "О"} & set(names)


def test_an_upright_example_is_the_drawing_made_smaller(monkeypatch):
    monkeypatch.setattr(glyphs, "DEGREES", 0.0)
    monkeypatch.setattr(glyphs, "SHIFT", 0.0)
    monkeypatch.setattr(glyphs, "SCALES", (1.0, 1.0))
    pixels = torch.zeros(1, 64, 64, dtype=torch.uint8)
    pixels[0, 16:48, 8:56] = 255
    example = moved(pixels, 65)[0, 0].float()
    assert float(example.mean()) == pytest.approx(float(pixels.float().mean()), rel=0.02)
    inked = (example > 128).nonzero()
    # 16 / 64 and 8 / 64 of 28; half-covered columns are left out
    assert inked.amin(0).tolist() == [7, 4]
    assert inked.amax(0).tolist() == [20, 23]


def test_examples_take_faces_in_turn_and_depend_on_their_character_alone():
    pixels = torch.zeros(3, 64, 64, dtype=torch.uint8)
    for i in range(3):
        pixels[i, 20:40, 20:40] = 80 * (i + 1)
    examples = moved(pixels, 65)
    assert [int(example.max()) for example in examples[:6]] == [80, 160, 240, 80, 160, 240]
    assert torch.equal(moved(pixels, 65), examples)
    assert not torch.equal(moved(pixels, 66), examples)


def test_any_folder_of_typefaces_will_do(tmp_path):
    for file in default_faces()[:2]:
        shutil.copy(file, tmp_path)
    assert len(faces_in(tmp_path)) == 2
    labelled = glyph_images(str(tmp_path), least_faces=2)
    assert len(labelled.names) > 500
    shutil.copy(next(default_faces()[0].parent.glob("LastResort*")), tmp_path)
    assert characters_in(next(tmp_path.glob("LastResort*"))) == set(), (
        "it draws one box for many characters"
    )


def test_typefaces_that_cant_be_used_get_a_sentence(tmp_path):
    with pytest.raises(
        ValueError, match="There is no typeface .* name a folder with some, or leave fonts out"
    ):
        glyph_images(str(tmp_path))
    (tmp_path / "bad.ttf").write_bytes(b"not a typeface")
    with pytest.raises(
        ValueError,
        match=r"bad.ttf can't be read as a typeface .*Restore it from a copy, or take it away",
    ):
        glyph_images(str(tmp_path), least_faces=1)
