"""A hub id becomes a folder in the hub's own cache, holding only the files that a package needs.

``huggingface_hub`` does the work, so its environment holds: HF_HOME, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE. Offline,
or when the hub does not answer within HF_HUB_ETAG_TIMEOUT (10 s), an earlier download of the same revision is used.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from antiphon.errors import SourceError
from antiphon.package.directory import MODEL_FILES, ModelFolder, Progress

_SMALL_FILES = (
    "tokenizer.json",
    "onnx/tokenizer.json",
    "sentencepiece.bpe.model",
    "config.json",
    "1_Pooling/config.json",
    "modules.json",
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
)
_WEIGHTS_BESIDE = ("", "_data", ".data")
"""Endings of a graph and of the files that exports keep its weights in."""

_STEP = "Downloading from the hub"


class HubUnreachable(SourceError):
    """Nobody answers at the hub's address, or HF_HUB_OFFLINE forbids to ask, and no earlier download is there."""


def download(hub_id: str, revision: str | None, on_progress: Progress) -> ModelFolder:
    """Return the model folder of ``hub_id`` at ``revision`` (None: main), downloading what is not in the cache.

    Raises HubUnreachable, or SourceError when the hub has no such model or revision, or wants a token.
    """
    if hub_id.startswith((".", "/", "~")) or hub_id.count("/") > 1 or "\\" in hub_id:
        raise SourceError(f"[{hub_id}] is not a folder. SOURCE is a folder, a hub id (owner/name), or bundled:NAME")
    on_progress(_STEP, 0, 0)
    silence = _silence(hub_id, revision)
    for model in MODEL_FILES:
        wanted = [*_SMALL_FILES, *(model + ending for ending in _WEIGHTS_BESIDE)]
        folder = _snapshot(hub_id, revision, wanted, on_progress, silence)
        if (folder / model).is_file():
            break
    return ModelFolder(
        folder=folder,
        names=(hub_id,),
        description=f"{hub_id} from the Hugging Face hub, revision {folder.name}",
    )


def _silence(hub_id: str, revision: str | None) -> Exception | None:
    """Return why nobody answers at the hub's address, None when somebody does, whatever the answer.

    Asked first, because snapshot_download waits without limit for its own first answer.
    """
    from huggingface_hub import HfApi, constants, errors

    try:
        HfApi(library_name="antiphon").model_info(hub_id, revision=revision, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    except (errors.HfHubHTTPError, errors.HFValidationError):
        return None  # snapshot_download meets it again, and knows what the cache can do about it
    except Exception as error:  # noqa: BLE001  the HTTP library under huggingface_hub differs between its versions
        return error
    return None


def _snapshot(
    hub_id: str, revision: str | None, wanted: list[str], on_progress: Progress, silence: Exception | None
) -> Path:
    from huggingface_hub import constants, errors, snapshot_download

    at = f"[{hub_id}] at revision [{revision or constants.DEFAULT_REVISION}]"
    try:
        return Path(
            snapshot_download(
                hub_id,
                revision=revision,
                allow_patterns=wanted,
                library_name="antiphon",
                local_files_only=silence is not None,
                tqdm_class=_bar(on_progress),
            )
        )
    except errors.HFValidationError as error:
        raise SourceError(f"[{hub_id}] is neither a folder nor a hub id: {error}") from error
    except errors.GatedRepoError as error:
        raise SourceError(f"The hub gives {at} to those who accepted its terms: do so, then set HF_TOKEN") from error
    except errors.RepositoryNotFoundError as error:
        raise SourceError(
            f"The hub {constants.ENDPOINT} has no model [{hub_id}]: check the name; for a private one set HF_TOKEN"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise SourceError(f"The hub has no {at}: name a branch, a tag or a commit") from error
    except Exception as error:  # the HTTP library under huggingface_hub differs between its versions
        raise HubUnreachable(f"{at} is not in the cache, and {_why(silence or error)}") from error


def _why(error: Exception) -> str:
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE forbids to ask the hub: unset it, or download the model first"
    cause = error.__cause__ or error
    reason = str(cause).strip().splitlines()
    told = f"{type(cause).__name__}: {reason[0]}" if reason else type(cause).__name__
    return f"the hub {constants.ENDPOINT} cannot be reached ({told}): check the network, HF_ENDPOINT and the proxy"


def _bar(on_progress: Progress) -> type[Any]:
    """Return a progress bar class that draws nothing and tells ``on_progress`` how many bytes have arrived."""
    import tqdm  # type: ignore[import-untyped]  # it comes with huggingface_hub

    class Bar(tqdm.tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, "file": io.StringIO(), "leave": False})

        def update(self, n: float | None = 1) -> Any:
            moved = super().update(n)
            if self.unit == "B" and self.total and "econstruct" in (self.desc or ""):
                on_progress(_STEP, min(int(self.n), int(self.total)), int(self.total))
            return moved

    return Bar
