"""On Fargate, the task role's credentials come from a link-local address: a run signs with them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib import resources

import pytest

# A network namespace of its own, in which that address is on loopback. Within it: the credentials
# endpoint, an S3 that says which key each request was signed with, and the command.
IN_NAMESPACE = r"""
import json, os, subprocess, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["ip", "address", "add", "169.254.170.2/32", "dev", "lo"], check=True)
signed, asked = [], []

class Credentials(BaseHTTPRequestHandler):
    def do_GET(self):
        asked.append(self.path)
        answer(self, 200, json.dumps({
            "RoleArn": "arn:aws:iam::123456789012:role/task", "AccessKeyId": "ASIATASKROLE",
            "SecretAccessKey": "secret", "Token": "session", "Expiration": "2099-01-01T00:00:00Z",
        }).encode())

class S3(BaseHTTPRequestHandler):
    def do_PUT(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        key = self.headers["Authorization"].partition("Credential=")[2].partition("/")[0]
        signed.append([self.command, key, self.headers["x-amz-security-token"]])
        answer(self, 404 if self.command != "PUT" else 200, b"", ETag='"etag"')
    do_HEAD = do_GET = do_PUT

def answer(handler, status, body, **headers):
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)

BaseHTTPRequestHandler.log_message = lambda *_: None
for address, handler in (("169.254.170.2", 80), Credentials), (("127.0.0.1", 9000), S3):
    server = ThreadingHTTPServer(address, handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
subprocess.run([sys.executable, "-m", "micro_etl", "run", "--source-url", sys.argv[1]], env={
    "PATH": os.environ["PATH"], "AWS_REGION": "eu-west-1", "S3_BUCKET": "bucket",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/of-this-task",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9000",
}, stdout=subprocess.DEVNULL, timeout=60, check=False)
print(json.dumps({"asked": asked, "signed": signed}))
"""

NAMESPACE = ["unshare", "--map-root-user", "--net"]


def can_make_a_namespace() -> bool:
    """Whether this machine lets this user have a network of his own."""
    if not (shutil.which("unshare") and shutil.which("ip")):
        return False
    return subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_make_a_namespace(), reason="no network namespace can be made here")
def test_credentials_of_the_task_role_sign_every_request() -> None:
    """Asked for once, at the path that ECS names; their session token goes along."""
    sample = resources.files("micro_etl") / "datasets" / "launches.sample.json"
    done = subprocess.run(
        [*NAMESPACE, sys.executable, "-c", IN_NAMESPACE, str(sample)],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    seen = json.loads(done.stdout)
    assert seen["asked"] == ["/v2/credentials/of-this-task"]
    methods, keys, tokens = zip(*seen["signed"], strict=True)
    assert "PUT" in methods
    assert (set(keys), set(tokens)) == ({"ASIATASKROLE"}, {"session"})
