from __future__ import annotations

import torch

from grammars.embedded.pointer import Followed, Trail, follow

QUOTE = 1
# two sentences that begin alike: 10 11 12 and 10 11 13
SOURCE = torch.tensor([[5, 10, 11, 12, 5, 10, 11, 13]])
FIRST, SECOND = 1, 5


def followed(tokens: list[int], opening: dict[int, float], real: list[bool] | None = None) -> Followed:
    """Follow tokens; after the first, the opening mark, places are scored as given, then all alike."""
    scores = torch.zeros(1, len(tokens), SOURCE.shape[1])
    for place, score in opening.items():
        scores[0, 0, place] = score
    trail = Trail.begin(SOURCE, SOURCE)
    reality = torch.tensor([real or [True] * len(tokens)])
    return follow(trail, torch.tensor([tokens]), scores, real=reality, quote=QUOTE)


def test_a_copy_goes_on_where_it_was_begun() -> None:
    for begun, other in ((FIRST, SECOND), (SECOND, FIRST)):
        carry = followed([QUOTE, 10, 11], {begun: 3.0}).carry[0]
        assert carry[1, begun + 1] == 0
        assert carry[1, other + 1] == -3
        assert carry[2, begun + 2] == 0
        assert carry[2, other + 2] == -3
        assert carry[2].argmax() == begun + 2


def test_a_place_that_does_not_continue_is_far_behind() -> None:
    carry = followed([QUOTE, 10], {FIRST: 3.0}).carry[0, 1]
    others = [place for place in range(8) if place not in {FIRST + 1, SECOND + 1}]
    assert (carry[others] == -20).all()


def test_the_place_copied_is_marked_as_used() -> None:
    used = followed([QUOTE, 10, 11], {SECOND: 3.0}).used[0]
    assert used[2].nonzero().flatten().tolist() == [SECOND, SECOND + 1]


def test_a_copy_may_begin_without_the_leading_space() -> None:
    bare = torch.where(SOURCE == 10, 20, SOURCE)
    trail = Trail.begin(SOURCE, bare)
    scores = torch.zeros(1, 2, 8)
    scores[0, 0, SECOND] = 2.0
    real = torch.ones(1, 2, dtype=torch.bool)
    carry = follow(trail, torch.tensor([[QUOTE, 20]]), scores, real=real, quote=QUOTE).carry
    assert carry[0, 1].argmax() == SECOND + 1


def test_the_key_is_known_where_its_value_is_opened() -> None:
    result = followed([QUOTE, 7, QUOTE, 8, QUOTE, 10], {})
    assert result.latest[0].tolist() == [0, 7, 7, 7, 7, 10]


def test_nothing_is_followed_outside_a_string() -> None:
    result = followed([10, QUOTE, 10, QUOTE, 10], {})
    assert result.inside[0].tolist() == [False, True, True, False, False]
    assert (result.carry[0, [0, 1, 4]] == 0).all()
    assert result.carry[0, 2].min() == -20


def test_padding_changes_nothing() -> None:
    dense = followed([QUOTE, 10, 11], {SECOND: 3.0})
    ragged = followed([QUOTE, 10, 99, 11], {SECOND: 3.0}, [True, True, False, True])
    assert torch.equal(dense.carry[0, 2], ragged.carry[0, 3])
    assert torch.equal(dense.used[0, 2], ragged.used[0, 3])
    assert torch.equal(ragged.inside[0, 1], ragged.inside[0, 2])


def test_a_token_that_stands_nowhere_ends_the_copy() -> None:
    assert (followed([QUOTE, 10, 77], {FIRST: 3.0}).carry[0, 2] == 0).all()
