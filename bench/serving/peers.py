#!/usr/bin/env python3
"""What stands beside `pbatch serve` on the same Ray: a deployment that echoes, and ONNX Runtime's dynamic int8.

    bench/serving/peers.py MODEL.onnx --port 8000 [--threads 1] [--max-batch 16]

serves the int8 network: binary requests of the protocol, read and written by pbatch's own code, in batches
that Ray's serve.batch makes. Needs Ray Serve, the package pbatch, onnx and onnxruntime.
"""

import argparse
import os
import tempfile

import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import Response

from pbatch.serve._http import HEADER_LENGTH as HEAD
from pbatch.serve._main import prepare_environment, wait_for_stop

QUIET = {"enable_access_log": False}  # as pbatch serve has it


@serve.deployment(max_ongoing_requests=10_000, ray_actor_options={"num_cpus": 0}, logging_config=QUIET)
class Echo:
    async def __call__(self, request: Request) -> Response:
        return Response(await request.body(), media_type="application/octet-stream")


def int8(model, threads, max_batch):
    """The application."""

    @serve.deployment(
        max_ongoing_requests=10_000, ray_actor_options={"num_cpus": threads}, logging_config=QUIET
    )
    class Int8:
        def __init__(self):
            import onnxruntime
            from onnxruntime.quantization import QuantType, quantize_dynamic

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "int8.onnx")
                quantize_dynamic(model, path, weight_type=QuantType.QInt8)
                self._session = onnxruntime.InferenceSession(
                    path, options, providers=["CPUExecutionProvider"]
                )
            self._names = [port.name for port in self._session.get_outputs()]

        @serve.batch(max_batch_size=max_batch, batch_wait_timeout_s=0)
        async def _run(self, requests):
            import asyncio

            import numpy as np

            feed = {n: np.concatenate([r.inputs[n] for r in requests]) for n in requests[0].inputs}
            loop = asyncio.get_running_loop()
            arrays = await loop.run_in_executor(None, self._session.run, self._names, feed)
            ends = np.cumsum([len(next(iter(r.inputs.values()))) for r in requests])
            return list(zip(*(np.split(a, ends[:-1]) for a in arrays), strict=True))

        async def __call__(self, request: Request) -> Response:
            from pbatch.serve._protocol import InferResponse, decode_http, encode_http

            asked = decode_http(await request.body(), int(request.headers[HEAD]))
            arrays = await self._run(asked)
            answer = InferResponse(list(zip(self._names, arrays, strict=True)), {"bits": 8})
            body, head = encode_http("net", "1", asked, answer)
            return Response(body, media_type="application/octet-stream", headers={HEAD: str(head)})

    return Int8.bind()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--max-batch", type=int, default=16)
    args = parser.parse_args()
    prepare_environment()
    ray.init("local", include_dashboard=False)
    serve.start(http_options={"host": "127.0.0.1", "port": args.port}, logging_config=QUIET)
    app = int8(os.path.abspath(args.model), args.threads, args.max_batch)
    serve.run(app, name="net", route_prefix="/v2/models/net/infer")
    print(f"serving at http://127.0.0.1:{args.port}", flush=True)
    wait_for_stop()


if __name__ == "__main__":
    main()
