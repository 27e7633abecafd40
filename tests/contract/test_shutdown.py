"""What SIGTERM does besides letting requests finish, which the restart stories show."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.support.contract import DIMENSION, Zips
from tests.support.server import FileServer, ProcessServer

GRACE_S = 1
CONFIG = {"model_type": "bert", "embedding_dimension": DIMENSION, "framework_type": "sentence_transformers"}


def test_a_download_that_stalls_does_not_hold_the_server_beyond_its_grace(
    tmp_path: Path, zips: Zips, files: FileServer
) -> None:
    package = zips["tiny"]
    server = ProcessServer(tmp_path, {"shutdown_grace_s": GRACE_S})
    files.hold()
    try:
        allow = {"persistent": {"plugins.ml_commons.allow_registering_model_via_url": True}}
        server.client.put("/_cluster/settings", json=allow).raise_for_status()
        body = {
            "name": "stalled",
            "function_name": "TEXT_EMBEDDING",
            "model_format": "ONNX",
            "url": f"{files.url}/hang/{package['file']}",
            "model_content_hash_value": package["sha256"],
            "model_config": CONFIG,
        }
        task = server.client.post("/_plugins/_ml/models/_register", json=body).json()["task_id"]
        server.end(signal.SIGTERM, within_s=10 + GRACE_S, code=1)
        server.start()
        ended = server.client.get(f"/_plugins/_ml/tasks/{task}").json()
        assert ended["state"] == "FAILED"
        assert "stopped" in ended["error"] or "shutting down" in ended["error"]
    finally:
        files.release()
        server.close()
