"""The whole API as one table: methods, path, handler, and the query parameters the handler reads."""

from __future__ import annotations

from antiphon.rest import cluster, controllers, model_groups, models, monitor, predict, tasks
from antiphon.rest.aliases import ALIAS_ROUTES
from antiphon.rest.analyze import ANALYZE_ROUTES
from antiphon.rest.background_tasks import BACKGROUND_TASK_ROUTES
from antiphon.rest.by_query import BY_QUERY_ROUTES
from antiphon.rest.call import Route
from antiphon.rest.cat import CAT_ROUTES
from antiphon.rest.documents import DOCUMENT_ROUTES
from antiphon.rest.index_monitor import MONITOR_ROUTES
from antiphon.rest.indices import INDEX_ROUTES
from antiphon.rest.pipelines import PIPELINE_ROUTES
from antiphon.rest.refused import REFUSED_ROUTES
from antiphon.rest.search_pipelines import SEARCH_PIPELINE_ROUTES
from antiphon.rest.searches import SEARCH_ROUTES
from antiphon.rest.templates import TEMPLATE_ROUTES

_ML = "/_plugins/_ml"
_SETTINGS = frozenset({"flat_settings", "include_defaults", "timeout", "cluster_manager_timeout", "master_timeout"})
_VIEW = frozenset({"view"})

ROUTES: tuple[Route, ...] = (
    Route("POST", f"{_ML}/models/{{model_id}}/_predict", predict.predict, heavy=True),
    Route("POST", f"{_ML}/_predict/{{algorithm}}/{{model_id}}", predict.predict_algorithm, heavy=True),
    Route("POST", f"{_ML}/models/{{model_id}}/_batch_predict", predict.batch_predict),
    Route("POST", f"{_ML}/models/{{model_id}}/_predict/stream", predict.stream),
    # model groups
    Route("POST", f"{_ML}/model_groups/_register", model_groups.register),
    Route("GET POST", f"{_ML}/model_groups/_search", model_groups.search),
    Route("GET", f"{_ML}/model_groups/{{model_group_id}}", model_groups.get),
    Route("PUT", f"{_ML}/model_groups/{{model_group_id}}", model_groups.update),
    Route("DELETE", f"{_ML}/model_groups/{{model_group_id}}", model_groups.delete),
    # models; the second of two paths is the name from before OpenSearch 2.7
    Route("POST", f"{_ML}/models/_register", models.register, frozenset({"deploy"})),
    Route("POST", f"{_ML}/models/_upload", models.register, frozenset({"deploy"})),
    Route("POST", f"{_ML}/models/_register_meta", models.register_meta),
    Route("POST", f"{_ML}/models/meta", models.register_meta),
    *(
        Route(
            "POST",
            f"{_ML}/models/{{model_id}}/{word}/{{chunk_number}}",
            models.upload_chunk,
            heavy=True,
            any_media=True,
        )
        for word in ("upload_chunk", "chunk")
    ),
    Route("GET POST", f"{_ML}/models/_search", models.search),
    Route("GET", f"{_ML}/models/{{model_id}}", models.get, frozenset({"return_content"})),
    Route("GET", f"{_ML}/models/{{model_id}}/_antiphon/package", models.package),
    Route("PUT", f"{_ML}/models/{{model_id}}", models.update),
    Route("DELETE", f"{_ML}/models/{{model_id}}", models.delete, heavy=True),
    Route("POST", f"{_ML}/models/{{model_id}}/_deploy", models.deploy),
    Route("POST", f"{_ML}/models/{{model_id}}/_load", models.deploy),
    Route("POST", f"{_ML}/models/{{model_id}}/_undeploy", models.undeploy, heavy=True),
    Route("POST", f"{_ML}/models/{{model_id}}/_unload", models.undeploy, heavy=True),
    Route("POST", f"{_ML}/models/_undeploy", models.undeploy, heavy=True),
    Route("POST", f"{_ML}/models/_unload", models.undeploy, heavy=True),
    # tasks
    Route("GET POST", f"{_ML}/tasks/_search", tasks.search),
    Route("GET", f"{_ML}/tasks/{{task_id}}", tasks.get),
    Route("DELETE", f"{_ML}/tasks/{{task_id}}", tasks.delete),
    Route("POST", f"{_ML}/tasks/{{task_id}}/_cancel", tasks.cancel),
    # stats and profile
    Route("GET", f"{_ML}/stats", monitor.stats),
    Route("GET", f"{_ML}/stats/{{stat}}", monitor.stats),
    Route("GET", f"{_ML}/{{node_id}}/stats", monitor.stats),
    Route("GET", f"{_ML}/{{node_id}}/stats/{{stat}}", monitor.stats),
    Route("GET", f"{_ML}/profile", monitor.profile, _VIEW),
    Route("GET", f"{_ML}/profile/models", monitor.profile_models, _VIEW),
    Route("GET", f"{_ML}/profile/models/{{model_id}}", monitor.profile_models, _VIEW),
    Route("GET", f"{_ML}/profile/tasks", monitor.profile_tasks, _VIEW),
    Route("GET", f"{_ML}/profile/tasks/{{task_id}}", monitor.profile_tasks, _VIEW),
    # controllers
    Route("POST", f"{_ML}/controllers/{{model_id}}", controllers.create),
    Route("PUT", f"{_ML}/controllers/{{model_id}}", controllers.update),
    Route("GET", f"{_ML}/controllers/{{model_id}}", controllers.get),
    Route("DELETE", f"{_ML}/controllers/{{model_id}}", controllers.delete),
    # cluster
    Route("GET", "/", cluster.banner),
    Route("GET", "/_cluster/settings", cluster.get_settings, _SETTINGS),
    Route("PUT", "/_cluster/settings", cluster.put_settings, _SETTINGS),
    *cluster.CLUSTER_ROUTES,
    *CAT_ROUTES,
    # indexes
    *INDEX_ROUTES,
    *ALIAS_ROUTES,
    *TEMPLATE_ROUTES,
    *MONITOR_ROUTES,
    *ANALYZE_ROUTES,
    *PIPELINE_ROUTES,
    *DOCUMENT_ROUTES,
    *SEARCH_ROUTES,
    *SEARCH_PIPELINE_ROUTES,
    *BY_QUERY_ROUTES,
    *BACKGROUND_TASK_ROUTES,
    # what is not here
    *REFUSED_ROUTES,
)  # fmt: skip
