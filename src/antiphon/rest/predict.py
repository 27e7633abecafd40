"""Handlers of predict: texts and a role in, ``inference_results`` out."""

from __future__ import annotations

from typing import Any

from antiphon.domain.prediction import Prediction, PredictRequest
from antiphon.errors import IllegalArgument
from antiphon.rest.call import Call, Reply
from antiphon.wire.model import check_function
from antiphon.wire.predict import read_predict, render_predict


def predict(call: Call) -> Reply:
    """Embed ``text_docs``."""
    body = call.json()
    notices: list[str] = []
    requests: list[PredictRequest] = []

    def read() -> PredictRequest:
        request, ignored = read_predict(body)
        requests.append(request)
        notices.extend(ignored)
        return request

    def render(prediction: Prediction) -> Any:
        return render_predict(prediction, requests[0].result_filter)

    prediction, answer = call.node.predictor.predict(call.params["model_id"], read, body, render)
    return Reply(answer, notices=notices + prediction.notices("text_docs"))


def predict_algorithm(call: Call) -> Reply:
    """The same under the path word of the algorithm; only ``text_embedding`` runs here."""
    check_function(call.params["algorithm"])
    return predict(call)


def batch_predict(call: Call) -> Reply:
    """Offline batches are for remote models."""
    raise IllegalArgument(
        "[_batch_predict] is for remote models and is not supported by Antiphon: send all texts in one _predict, "
        f"POST /_plugins/_ml/models/{call.params['model_id']}/_predict"
    )


def stream(call: Call) -> Reply:
    """Streams are for remote chat models."""
    raise IllegalArgument(
        "[_predict/stream] is for remote chat models and is not supported by Antiphon: use "
        f"POST /_plugins/_ml/models/{call.params['model_id']}/_predict"
    )
