"""Images as files."""

import io


def encoded(x, form="PNG"):
    """An image [h, w(, 3)] as the bytes of a file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(x).save(buffer, form)
    return buffer.getvalue()
