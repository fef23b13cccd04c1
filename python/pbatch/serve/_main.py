"""``pbatch serve``: starts Ray where none runs, Ray Serve with its proxies, and the application."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence

from ..errors import Error
from ._config import ServerConfig, config_of, read_config
from ._guard import ENVIRONMENT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pbatch serve",
        description="Serves models by the Open Inference Protocol (V2): REST and gRPC, on Ray.",
    )
    parser.add_argument("models", nargs="*", metavar="MODEL", help="a path, or NAME=PATH")
    parser.add_argument("--config", metavar="FILE", help="settings and models, in TOML")
    parser.add_argument("--host", help="address to listen at; default 127.0.0.1")
    parser.add_argument("--port", type=int, help="of REST; default 8000")
    parser.add_argument("--grpc-port", type=int, help="default 8001; 0: no gRPC")
    parser.add_argument("--threads", type=int, help="of a run; default: one per CPU")
    parser.add_argument("--replicas", type=int, help="processes; default 1")
    parser.add_argument("--ray-address", help="a cluster that runs; default: one of its own")
    return parser


def settings_for_proxies(config: ServerConfig) -> dict[str, str]:
    """The environment of Ray's proxies."""
    guard = {
        "tokens": config.tokens, "max_body": config.max_body,
        "tls_certificate": config.tls_certificate, "tls_key": config.tls_key,
    }  # fmt: skip
    return {
        ENVIRONMENT: json.dumps(guard),
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "pbatch.serve._guard:proxy_middlewares",
    }


def prepare_environment() -> None:
    """Of a Ray that is started here; what it says already stays."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray's workers are for batches: they stand behind all else on the machine (niceness 15), and a proxy
    # has 15 seconds to come up, which a busy machine needs for its imports alone.
    os.environ.setdefault("RAY_worker_niceness", "0")
    os.environ.setdefault("RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S", "60")


def wait_for_stop() -> None:
    """Returns when SIGINT or SIGTERM has come and Ray Serve and Ray have ended."""
    import ray
    from ray import serve

    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    stopped.wait()
    serve.shutdown()
    ray.shutdown()


def start(config: ServerConfig, ray_address: str | None = None) -> None:
    """Starts everything and returns when the application answers. Raises UnsupportedError without
    Ray."""
    os.environ.update(settings_for_proxies(config))
    prepare_environment()
    from ._app import build  # reads the environment

    import ray
    from ray import serve
    from ray.serve.config import gRPCOptions

    if not ray.is_initialized():
        # Without "local" Ray would join whatever cluster was last started on the machine.
        address = ray_address or os.environ.get("RAY_ADDRESS") or "local"
        ray.init(address=address, include_dashboard=False, log_to_driver=True)
    http = {
        "host": config.host, "port": config.port,
        "ssl_certfile": config.tls_certificate or None, "ssl_keyfile": config.tls_key or None,
    }  # fmt: skip
    grpc = None
    if config.grpc_port:
        grpc = gRPCOptions(
            port=config.grpc_port,
            grpc_servicer_functions=["pbatch.serve._grpc.add_to_server"],
            enable_reflection=False,
        )
    # A line for each request would pass through four processes; the metrics count them.
    serve.start(http_options=http, grpc_options=grpc, logging_config={"enable_access_log": False})
    serve.run(build(config), name="pbatch", route_prefix="/")


def main(arguments: Sequence[str]) -> int:
    given = vars(_parser().parse_args(arguments))
    models, path, address = given.pop("models"), given.pop("config"), given.pop("ray_address")
    try:
        settings = read_config(path) if path else {}
        settings.update((k, v) for k, v in given.items() if v is not None)
        config = config_of(models, settings)
        if not config.models:
            print("pbatch: no model is named; give MODEL or --config FILE", file=sys.stderr)
            return 2
        start(config, address)
    except (Error, OSError) as error:
        print(f"pbatch: {error}", file=sys.stderr)
        return 1
    scheme = "https" if config.tls_certificate else "http"
    print(f"serving at {scheme}://{config.host}:{config.port}", flush=True)
    wait_for_stop()
    return 0
