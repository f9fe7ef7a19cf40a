from dataclasses import replace

import pytest

from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.input_spec import InputSpec
from digiscope_shared.litert.segmenter import LiteRtSegmenter
from digiscope_shared.segmenter_bundle import DEFAULT_BUNDLE, load_segmenter


def test_a_manifest_with_another_input_than_the_models_is_refused() -> None:
    bundle = load_segmenter(DEFAULT_BUNDLE)
    other = replace(bundle, manifest=replace(bundle.manifest, input_spec=InputSpec(height=24, width=32)))
    with pytest.raises(PermanentError) as refused:
        LiteRtSegmenter(other)
    assert refused.value.reason is Reason.BAD_BUNDLE
    LiteRtSegmenter(bundle).verify_golden()
