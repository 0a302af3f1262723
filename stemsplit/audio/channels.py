"""Mono and stereo: the rules, stated once.

- A mono song gives mono stems, a stereo song stereo stems.
- A model that hears another number of channels is given what it expects: mono becomes two equal
  channels, stereo becomes the average of its channels; its answer is turned back in the same way.
- More than two channels are mixed down to stereo by ffmpeg while decoding, by the gains that the
  channel layout prescribes (ITU-R BS.775 for 5.1), without lowering the level; nothing here sees
  them.
"""

from torch import Tensor


def match_channels(block: Tensor, channels: int) -> Tensor:
    """Turn mono into stereo or stereo into mono.

    Args:
        block: (..., C, N) with C of 1 or 2.
        channels: wanted number of channels, 1 or 2.

    Returns:
        (..., channels, N): both channels equal to the mono signal, or the average of the two; the
        block itself where nothing is to be done.

    Raises:
        ValueError: there is no rule between these numbers of channels.
    """
    have = block.shape[-2]
    if have == channels:
        return block
    if {have, channels} != {1, 2}:
        raise ValueError(f"cannot turn {have} channels into {channels}")
    if channels == 1:
        return block.mean(dim=-2, keepdim=True)
    return block.expand(*block.shape[:-2], 2, block.shape[-1])
