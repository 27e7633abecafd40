"""How does text become a vector? The only room that knows tokenizers, openvino and onnxruntime."""

from __future__ import annotations

from antiphon.encode.encoding import Encoding
from antiphon.encode.fake import FakeLoader
from antiphon.encode.load import Loader

__all__ = ["Encoding", "FakeLoader", "Loader"]
