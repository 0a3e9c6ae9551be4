"""What is said of recordings that were converted."""

from data_prep.conversions import Conversions
from seqmdn.data.conversion import Conversion


def test_each_kind_is_counted_by_itself() -> None:
    counted = Conversions(16_000)
    for done in (
        Conversion(16_000, 1, "16 bits"),
        Conversion(44_100, 2, "MPEG", 3),
        Conversion(44_100, 1, "24 bits"),
        Conversion(22_050, 2, "16 bits", 4),
    ):
        counted.add(done)
    assert counted.said() == [
        "2 recordings mixed down to one channel",
        "3 recordings resampled to 16000 samples a second: 1 from 22050, 2 from 44100",
        "2 recordings requantised to 16 bits: 1 from 24 bits, 1 from MPEG",
        "7 samples beyond 16 bits cut to the ends of their range, in 2 recordings",
    ]
    assert counted.attributes() == {
        "mixed_down": 2,
        "resampled": "3: 1 from 22050, 2 from 44100",
        "requantised": "2: 1 from 24 bits, 1 from MPEG",
        "clipped_samples": 7,
    }
