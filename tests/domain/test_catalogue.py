"""What the catalogue promises of who answers a request."""

import pytest

from worker.domain.access import Quota
from worker.domain.catalogue import Catalogue
from worker.domain.errors import BadRequest, Forbidden
from worker.domain.messages import Lane, ReplyRoute, Request

MODELS = Catalogue(
    names={"default": "owner/large", "small": "owner/small", "tiny": "owner/tiny"},
    lanes={Lane.BATCH: "small"},
)


def chosen(model=None, *, lane=Lane.STANDARD, may=None):
    request = Request(
        id="1",
        key=b"1",
        client="kitchen",
        lane=lane,
        messages=(),
        reply_to=ReplyRoute("r"),
        arrived_at=0.0,
        model=model,
    )
    return MODELS.of_request(request, Quota(models=may))


def test_a_wish_goes_before_the_lane_and_the_lane_before_the_default():
    assert chosen() == "default"
    assert chosen(lane=Lane.BATCH) == "small"
    assert chosen("tiny", lane=Lane.BATCH) == "tiny"


def test_a_model_has_two_names():
    assert chosen("small") == chosen("owner/small") == "small"


def test_a_client_that_may_use_a_few_gets_its_lanes_or_the_first_of_them():
    assert chosen(may=("tiny", "small")) == "small"
    assert chosen(may=("tiny",), lane=Lane.BATCH) == "tiny"
    assert chosen(may=("tiny", "small"), lane=Lane.BATCH) == "small"


def test_patterns_fit_either_name():
    assert chosen("tiny", may=("owner/t*",)) == chosen("tiny", may=("t*",)) == "tiny"


@pytest.mark.parametrize("wanted", ["default", "owner/large"])
def test_what_a_client_may_not_use_is_forbidden_with_what_it_may(wanted):
    with pytest.raises(Forbidden, match="may use small, tiny, not"):
        chosen(wanted, may=("small", "tiny"))


def test_an_error_names_no_model_that_the_client_may_not_use():
    with pytest.raises(BadRequest, match="expected one of tiny, got"):
        chosen("huge", may=("tiny",))


def test_a_client_that_may_use_none_is_told_so():
    with pytest.raises(Forbidden) as error:
        chosen(may=())
    assert error.value.field == "model"
