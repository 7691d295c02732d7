"""Serves a merged model with plain transformers, behind two paths of the OpenAI API.

python examples/serve/transformers_server.py --model finetuned_model/merged_model --port 8000

/v1/chat/completions takes texts and images as data URLs, /v1/models names the model. One request is answered
after another, greedily: for trials and small loads. Needs torch, transformers and pillow, not FinScribe.
"""

import argparse
import base64
import binascii
import io
import json
import time
import uuid
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

import torch
from jinja2 import TemplateError
from PIL import Image, ImageOps
from transformers import AutoModelForImageTextToText, AutoProcessor

MAX_BODY_BYTES = 64 * 2**20
MAX_IMAGE_PIXELS = 50_000_000
KNOWN = {"model", "messages", "max_tokens", "max_completion_tokens", "temperature", "n", "stream"}
ONLY = {"temperature": 0, "n": 1, "stream": False}
"""Parameters of which only this value is possible."""


class RequestError(Exception):
    """The request can't be answered as it is; the message says why."""


class Model:
    """A merged model in memory.

    Args:
        folder: a folder with safetensors; code in it is never executed.
        max_new_tokens: the most tokens of any answer.
    """

    def __init__(self, folder: Path, max_new_tokens: int) -> None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.name = folder.resolve().name
        self._max_new_tokens = max_new_tokens
        self._processor = AutoProcessor.from_pretrained(folder, trust_remote_code=False)
        model = AutoModelForImageTextToText.from_pretrained(
            folder, dtype="auto", use_safetensors=True, trust_remote_code=False
        )
        self._model = model.to(device).eval()
        self._lock = Lock()

    def complete(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to the body of a request, in the form of the API.

        Raises:
            RequestError: a parameter, message or image is not supported.
        """
        check_parameters(request, self.name)
        messages = [read_message(message) for message in request["messages"]]
        limit = request.get("max_completion_tokens") or request.get("max_tokens") or self._max_new_tokens
        if not isinstance(limit, int) or limit < 1:
            raise RequestError("max_tokens must be a number from 1")
        try:
            inputs = self._processor.apply_chat_template(
                messages, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
            )
        except (TemplateError, ValueError) as error:
            raise RequestError(f"the model does not take these messages: {error}") from None
        limit = min(limit, self._max_new_tokens)
        with self._lock, torch.inference_mode():
            output = self._model.generate(
                **inputs.to(self._model.device), max_new_tokens=limit, do_sample=False
            )
        num_prompt = inputs["input_ids"].shape[1]
        answer = output[0, num_prompt:].tolist()
        ends = self._model.generation_config.eos_token_id
        ended = answer[-1] in (ends if isinstance(ends, list) else [ends])
        text = self._processor.decode(answer, skip_special_tokens=True)
        return {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": self.name,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text},
                    "finish_reason": "stop" if ended else "length",
                }
            ],
            "usage": {
                "prompt_tokens": num_prompt,
                "completion_tokens": len(answer),
                "total_tokens": num_prompt + len(answer),
            },
        }


def check_parameters(request: dict[str, Any], name: str) -> None:
    """Raise RequestError if a parameter would have no effect."""
    if unknown := sorted(request.keys() - KNOWN):
        raise RequestError(f"{', '.join(unknown)}: not supported; remove it")
    for key, value in ONLY.items():
        if request.get(key) not in (None, value):
            raise RequestError(f"{key} must be {json.dumps(value)}")
    if request.get("model") != name:
        raise RequestError(f"model must be {name}")
    if not isinstance(request.get("messages"), list) or not request["messages"]:
        raise RequestError("messages must be a list of messages")


def read_message(message: Any) -> dict[str, Any]:
    """A message of the API as one for the processor, with images in memory.

    Raises:
        RequestError: it has another form.
    """
    content = message.get("content") if isinstance(message, dict) else None
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not isinstance(parts, list):
        raise RequestError("a message needs a role, and a text or a list of parts as content")
    return {"role": message.get("role"), "content": [read_part(part) for part in parts]}


def read_part(part: Any) -> dict[str, Any]:
    """A text, or an image from its data URL."""
    match part:
        case {"type": "text", "text": str(text)}:
            return {"type": "text", "text": text}
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            return {"type": "image", "image": read_image(url)}
    raise RequestError("a part is a text, or an image_url")


def read_image(url: str) -> Image.Image:
    """The image of a data URL; nothing is downloaded."""
    head, _, data = url.partition(",")
    if not (head.startswith("data:image/") and head.endswith(";base64")):
        raise RequestError("an image's url must be data:image/...;base64,...")
    try:
        image = Image.open(io.BytesIO(base64.b64decode(data, validate=True)))
        if image.width * image.height > MAX_IMAGE_PIXELS:
            raise RequestError(f"an image has more than {MAX_IMAGE_PIXELS:,} pixels")
        return ImageOps.exif_transpose(image).convert("RGB")
    except (binascii.Error, OSError, SyntaxError, ValueError) as error:
        raise RequestError(f"an image can't be read: {error}") from None


class Handler(BaseHTTPRequestHandler):
    """The two paths of the API."""

    server: "Server"
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        """List the model."""
        if self.path != "/v1/models":
            self._fail(HTTPStatus.NOT_FOUND, f"{self.path} does not exist")
            return
        self._send(
            HTTPStatus.OK, {"object": "list", "data": [{"id": self.server.model.name, "object": "model"}]}
        )

    def do_POST(self) -> None:
        """Answer a conversation."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            self.close_connection = True  # the body is not read
            self._fail(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"send at most {MAX_BODY_BYTES} bytes")
            return
        body = self.rfile.read(int(length))
        if self.path != "/v1/chat/completions":
            self._fail(HTTPStatus.NOT_FOUND, f"{self.path} does not exist")
            return
        try:
            request = json.loads(body)
            if not isinstance(request, dict):
                raise RequestError("the body must be a JSON object")
            answer = self.server.model.complete(request)
        except RequestError as error:
            self._fail(HTTPStatus.BAD_REQUEST, str(error))
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
            self._fail(HTTPStatus.BAD_REQUEST, "the body is not JSON")
        else:
            self._send(HTTPStatus.OK, answer)

    def _fail(self, status: HTTPStatus, message: str) -> None:
        self._send(status, {"error": {"message": message, "type": "invalid_request_error"}})

    def _send(self, status: HTTPStatus, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class Server(ThreadingHTTPServer):
    """Listens on an address; port 0 is any free one."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], model: Model) -> None:
        super().__init__(address, Handler)
        self.model = model


def main() -> None:
    """Serve until Ctrl+C."""
    parser = argparse.ArgumentParser(description="Serve a merged model.")
    parser.add_argument("--model", type=Path, required=True, help="folder of the merged model")
    parser.add_argument("--host", default="127.0.0.1", help="address; there is no authentication")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--max-new-tokens", type=int, default=2048, help="most tokens of an answer")
    options = parser.parse_args()
    server = Server((options.host, options.port), Model(options.model, options.max_new_tokens))
    print(f"http://{options.host}:{server.server_port}/v1 serves {server.model.name}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()


if __name__ == "__main__":
    main()
