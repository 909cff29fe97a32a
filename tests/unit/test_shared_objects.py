"""What a person is told of an object store, and how its address is read."""

from __future__ import annotations

import pytest
from obstore.exceptions import GenericError, NotFoundError, PermissionDeniedError

from coursefs.errors import UsageError
from coursefs.shared.objects import ObjectTier, words

_ASKED = "Error performing PUT http://127.0.0.1:18333/pieces/lab/ef/efbf7bf2.claim in 120.42632ms, after 1 retries, "
_LIMITS = "max_retries: 1, retry_timeout: 180s  - "
_DEBUG = "\n\nDebug source:\nGeneric {\n    store: 'S3', status code: 200 SECRET"


@pytest.mark.parametrize(
    ("error", "said"),
    [  # as obstore 0.12 has said it
        (
            GenericError(
                f"Generic S3 error: {_ASKED}{_LIMITS}Server returned non-2xx status code: 503 Slow Down: <?xml"
            ),
            "answers with status 503",
        ),
        (
            GenericError("Generic S3 error: Error performing list request: … status code: 403 Forbidden: <?xml SECRET"),
            "refuses the credentials of this machine",
        ),
        (
            PermissionDeniedError("The operation lacked the necessary privileges to complete for path lab/ef/efbf7bf2"),
            "refuses the credentials of this machine",
        ),
        (
            NotFoundError("Object at location lab/ef/efbf7bf2 not found: … status code: 404 Not Found: NoSuchBucket"),
            "there is no such bucket",
        ),
        (
            GenericError(
                "Generic S3 error: Error performing PUT http://169.254.169.254/latest/api/token in 922.068µs - "
                "Server returned non-2xx status code: 403 Forbidden: denied"
            ),
            "there are no credentials in the environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ),
        (
            GenericError(f"Generic S3 error: {_ASKED}- HTTP error: builder error"),
            "its address is http://, which has no TLS; to allow that, set AWS_ALLOW_HTTP=true in the environment",
        ),
        (
            GenericError(f"Generic S3 error: {_ASKED}{_LIMITS}HTTP error: error sending request"),
            "cannot be reached, or does not answer",
        ),
        (GenericError("Generic S3 error: HTTP error: request or response body error"), "breaks the connection off"),
        (
            GenericError("Generic S3 error: Unable to extract metadata from headers: ETag Header missing"),
            "gives an answer that is none of an object store (GenericError)",
        ),
    ],
)
def test_what_is_said_is_short_and_always_the_same(error: Exception, said: str) -> None:
    assert words(type(error)(f"{error}{_DEBUG}")) == said


@pytest.mark.parametrize("place", ["s3://", "s3:///prefix", "ftp://bucket", "az://container/prefix"])
def test_an_address_that_obstore_does_not_know_is_refused(place: str) -> None:
    with pytest.raises(UsageError, match=r"^cache\.shared = ") as caught:
        ObjectTier(place)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"cache.shared = {place}: ")
